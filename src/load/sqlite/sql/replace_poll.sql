-- An ok poll takes the place of a partial one.
UPDATE poll SET loaded = 'duplicate', rows_new = 0, rows_unchanged = 0
WHERE job_id = :job_id AND slot = :slot AND loaded = 'rows';
