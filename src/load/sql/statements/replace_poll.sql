-- An ok poll takes the place of a partial one.
UPDATE poll
SET loaded = 'duplicate', rows_new = 0, rows_unchanged = 0,
    error = 'duplicate: the slot has the rows of offset ' || :offset || ' of stream ' || :stream ||
            coalesce('; ' || error, '')
WHERE job_id = :job_id AND slot = :slot AND loaded = 'rows';
