-- Of a poll that was made anew, where nothing is to be said but numbers.
UPDATE poll
SET rows_in = :rows_in, rows_new = :rows_new, rows_unchanged = :rows_unchanged,
    rows_absent = :rows_absent, rows_quarantined = :rows_quarantined,
    transform_version = :transform_version, drift = NULL, error = NULL
WHERE job_id = :job_id AND slot = :slot AND stream = :stream AND last_offset = :last_offset;
