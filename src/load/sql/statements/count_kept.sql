-- Rows that a poll had left out are in market now.
UPDATE poll SET rows_new = rows_new + rows_unchanged, rows_unchanged = 0
WHERE job_id = :job_id AND slot = :slot AND loaded = 'rows';
