-- Which versions of the transform made the rows that are here.
SELECT job.name AS job, transform_version, min(slot) AS first_slot, max(slot) AS last_slot,
       count(*) AS polls
FROM poll JOIN job USING (job_id)
WHERE loaded = 'rows' AND transform_version IS NOT NULL
GROUP BY job.name, transform_version
ORDER BY job.name, first_slot;
