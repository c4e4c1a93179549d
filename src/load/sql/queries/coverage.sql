-- Polls of a job by slot: those in [:from, :until), the last before them that promised one, and the
-- first behind them that ends a gap.
SELECT slot, outcome, next_due
FROM poll
WHERE job_id = (SELECT job_id FROM job WHERE name = :job)
  AND slot >= coalesce((SELECT max(slot) FROM poll
                        WHERE job_id = (SELECT job_id FROM job WHERE name = :job)
                          AND slot < :from AND outcome <> 'aborted'), :from)
  AND slot <= coalesce((SELECT min(slot) FROM poll
                        WHERE job_id = (SELECT job_id FROM job WHERE name = :job)
                          AND slot >= :until AND outcome <> 'aborted'), :until)
ORDER BY slot;
