-- When a coin was absent from a job.
SELECT from_slot, until_slot FROM absence WHERE job_id = :job_id AND coin_id = :coin_id
ORDER BY from_slot;
