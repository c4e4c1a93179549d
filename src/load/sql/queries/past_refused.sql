-- Coins of a job whose rows polls refused since :since, the latest first: when, and when the last ok poll
-- before began. After a refusal no row is left out as equal, so what came next is stored.
SELECT q.coin AS id, poll.finished AS refused,
       (SELECT coalesce(told.started, told.slot) FROM poll AS told
        WHERE told.job_id = :job_id AND told.loaded = 'rows' AND told.outcome = 'ok'
          AND told.slot < poll.slot
        ORDER BY told.slot DESC LIMIT 1) AS told
FROM poll JOIN quarantine AS q ON q.stream = poll.stream
                              AND q."offset" BETWEEN poll.first_offset AND poll.last_offset
WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot >= :since
  AND poll.slot <= :slot AND poll.finished <= :at AND poll.rows_quarantined > 0
  AND q.coin IS NOT NULL AND q.reason <> 'duplicate coin'
  AND (q.reason = 'duplicate key' OR q.field IN ('id', 'symbol', 'name')
       OR q.field IS NULL AND q.reason <> 'bad text')
ORDER BY poll.slot DESC;
