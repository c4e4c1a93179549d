-- The poll whose rows a slot has.
SELECT outcome, stream, last_offset FROM poll
WHERE job_id = :job_id AND slot = :slot AND loaded = 'rows';
