-- When the poll that has the rows of a slot began, and was over.
SELECT CASE WHEN started < slot THEN started ELSE slot END, finished FROM poll
WHERE job_id = :job_id AND slot = :slot AND loaded = 'rows';
