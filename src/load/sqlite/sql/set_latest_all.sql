-- The rows of a poll become the last ones of their coins.
INSERT OR REPLACE INTO latest
SELECT * FROM market WHERE slot = :slot AND job_id = :job_id;
