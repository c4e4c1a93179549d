-- The row of a coin in a poll becomes its last one, unless a later one is there.
-- Both tables have the same columns in the same order.
INSERT OR REPLACE INTO {latest}
SELECT * FROM {history}
WHERE slot = :slot AND job_id = :job_id AND coin_id = :coin_id
  AND NOT EXISTS (SELECT 1 FROM {latest}
                  WHERE job_id = :job_id AND coin_id = :coin_id AND slot > :slot);
