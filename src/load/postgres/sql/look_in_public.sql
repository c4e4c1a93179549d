-- What has this name ($1) in public: is it a view of ours, whose schema is $2? And a name for it
-- that is free, of relations as of types, as a table has a type.
SELECT c.oid IS NOT NULL,
       EXISTS (SELECT FROM pg_rewrite AS rule JOIN pg_depend AS d ON d.objid = rule.oid
               WHERE rule.ev_class = c.oid AND d.classid = 'pg_rewrite'::regclass
                 AND d.refclassid = 'pg_class'::regclass
                 AND d.refobjid = to_regclass($2 || '.' || $1)),
       coalesce(has_schema_privilege(public.oid, 'CREATE'), false),
       public.oid IS NOT NULL,
       (SELECT old_name
        FROM (SELECT $1 || '_old' || CASE n WHEN 1 THEN '' ELSE n::text END AS old_name, n
              FROM generate_series(1, 9999) AS n) AS old
        WHERE NOT EXISTS (SELECT FROM pg_class
                          WHERE relname = old_name AND relnamespace = public.oid)
          AND NOT EXISTS (SELECT FROM pg_type
                          WHERE typname = old_name AND typnamespace = public.oid)
        ORDER BY n LIMIT 1)
FROM (SELECT to_regnamespace('public')::oid AS oid) AS public
LEFT JOIN pg_class AS c ON c.relname = $1 AND c.relnamespace = public.oid
