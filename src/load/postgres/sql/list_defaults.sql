-- The default partitions that there are, and the tables they are of.
SELECT c.relname, p.partdefid::regclass
FROM pg_partitioned_table AS p JOIN pg_class AS c ON c.oid = p.partrelid
WHERE c.relnamespace = current_schema()::regnamespace AND p.partdefid <> 0 ORDER BY 1
