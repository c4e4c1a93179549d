-- What was refused, newest slot first. Of the polls only those are looked at that have any, or may
-- have: the index poll_quarantined, where the store has it, holds the very condition.
SELECT job.name AS job, poll.slot, q.stream, q."offset", q.idx, q.coin, q.field, q.reason, q.value,
       q.stage
FROM poll JOIN job USING (job_id)
     JOIN quarantine AS q ON q.stream = poll.stream
                         AND q."offset" BETWEEN poll.first_offset AND poll.last_offset
WHERE poll.rows_quarantined > 0 OR poll.loaded = 'none'
ORDER BY poll.slot DESC, q.stream, q."offset", q.idx
LIMIT :limit;
