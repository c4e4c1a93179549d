-- Polls of a job before a slot, the newest first: about :limit of them, but whole slots, so that
-- the next page begins before the last slot of this one.
SELECT job.name AS job, poll.*
FROM poll JOIN job USING (job_id)
WHERE job.name = :job AND slot < :before
  AND slot >= (SELECT min(slot) FROM (SELECT slot FROM poll
                                      WHERE job_id = (SELECT job_id FROM job WHERE name = :job)
                                        AND slot < :before
                                      ORDER BY slot DESC LIMIT :limit) AS newest)
ORDER BY slot DESC, last_offset DESC;
