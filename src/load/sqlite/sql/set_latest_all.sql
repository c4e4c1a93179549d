-- The rows of a poll become the last ones of their keys.
INSERT OR REPLACE INTO {latest}
SELECT * FROM {history} WHERE slot = :slot AND job_id = :job_id;
