-- What is there of the schema $1? Who has made what is in it, and may this role do that?
SELECT n.oid IS NOT NULL,
       coalesce(NOT has_schema_privilege(n.oid, 'USAGE'), false),
       v.oid IS NOT NULL,
       EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid),
       CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
            WHEN v.oid IS NULL THEN has_schema_privilege(n.oid, 'CREATE')
            ELSE pg_has_role(v.relowner, 'USAGE') END,
       coalesce(quote_ident(pg_get_userbyid(coalesce(v.relowner, n.nspowner))), ''),
       quote_ident(current_user),
       quote_ident(current_database())
FROM (SELECT 1) AS one
LEFT JOIN pg_namespace AS n ON n.nspname = $1
LEFT JOIN pg_class AS v ON v.relnamespace = n.oid AND v.relname = 'schema_version'
