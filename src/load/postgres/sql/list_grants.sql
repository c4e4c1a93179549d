-- Statements that let read public.$2 whoever may read public.$1, all in one text.
SELECT coalesce(string_agg(format('GRANT SELECT ON public.%I TO %s;', $2::text, CASE granted.grantee
                                  WHEN 0 THEN 'PUBLIC'
                                  ELSE quote_ident(pg_get_userbyid(granted.grantee)) END), ''), '')
FROM pg_class AS c, aclexplode(c.relacl) AS granted
WHERE c.oid = to_regclass('public.' || $1) AND granted.privilege_type = 'SELECT'
  AND granted.grantee <> c.relowner
