-- The view gap for one job, without reading all of its polls: gaps that lasted beyond :since, the
-- newest first. A poll that is due after :due gets a minute to arrive.
SELECT job.name AS job, next_due AS from_slot, next_slot AS until_slot
FROM (SELECT job_id, max(next_due) AS next_due, lead(slot) OVER (ORDER BY slot) AS next_slot
      FROM poll
      WHERE job_id = (SELECT job_id FROM job WHERE name = :job) AND outcome <> 'aborted'
        AND slot >= coalesce((SELECT max(slot) FROM poll
                              WHERE job_id = (SELECT job_id FROM job WHERE name = :job)
                                AND slot < :since AND outcome <> 'aborted'), :since)
      GROUP BY job_id, slot) AS promised
JOIN job USING (job_id)
WHERE next_due < coalesce(next_slot, :due)
ORDER BY from_slot DESC;
