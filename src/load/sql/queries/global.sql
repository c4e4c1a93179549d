-- The figures of an answer of /global. Their ids keep the parts of a figure together.
SELECT id, fetched_at, figure, part, value FROM global
WHERE job_id = :job_id AND slot = :slot
ORDER BY id;
