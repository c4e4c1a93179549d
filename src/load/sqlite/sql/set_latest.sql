-- The row of a coin in a poll becomes its last one. Both tables have the same columns in the same
-- order; a statement that also read latest would go through a temporary table.
INSERT OR REPLACE INTO {latest}
SELECT * FROM {history} WHERE slot = :slot AND job_id = :job_id AND coin_id = :coin_id;
