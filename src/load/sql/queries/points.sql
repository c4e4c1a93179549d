-- What a job knew of a coin after each poll that may have told of it: its row, or that rows which
-- had not changed were left out. Refused: the poll had the coin, but its row was refused, not just
-- a value of it.
SELECT poll.slot, poll.finished, m.fetched_at, m.current_price, m.market_cap, m.total_volume,
       CASE WHEN poll.rows_quarantined = 0 THEN 0
            ELSE (SELECT count(*) FROM quarantine AS q
                  WHERE q.stream = poll.stream
                    AND q."offset" BETWEEN poll.first_offset AND poll.last_offset
                    AND q.coin = :id AND q.reason <> 'duplicate coin'
                    AND (q.reason = 'duplicate key' OR q.field IN ('id', 'symbol', 'name')
                         OR q.field IS NULL AND q.reason <> 'bad text')) END AS refused
FROM poll LEFT JOIN {history} AS m ON m.slot = poll.slot AND m.job_id = poll.job_id
                                  AND m.coin_id = :coin_id
WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot >= :since AND poll.slot <= :until
  AND poll.finished <= :at AND (m.slot IS NOT NULL OR poll.rows_unchanged > 0)
ORDER BY poll.slot;
