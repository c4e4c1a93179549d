-- Is there a poll of a stream?
SELECT 1 FROM poll WHERE job_id = :job_id AND stream = :stream LIMIT 1;
