-- How tables are cut: the choice, and which are cut by coin.
SELECT coalesce((SELECT partition FROM layout LIMIT 1), ''),
       coalesce((SELECT string_agg(c.relname, ' ')
                 FROM pg_partitioned_table AS p JOIN pg_class AS c ON c.oid = p.partrelid
                 WHERE c.relnamespace = current_schema()::regnamespace AND p.partstrat = 'h'), '')
