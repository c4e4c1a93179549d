SELECT loaded FROM poll
WHERE job_id = :job_id AND slot = :slot AND stream = :stream AND last_offset = :last_offset;
