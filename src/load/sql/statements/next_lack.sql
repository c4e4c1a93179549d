-- The next ok poll after a slot that refused nothing of a coin: where it has no row, the coin is
-- absent.
SELECT poll.slot FROM poll
WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.outcome = 'ok' AND poll.slot > :slot
  AND NOT EXISTS (SELECT 1 FROM quarantine AS q JOIN coin ON coin.id = q.coin
                  WHERE q.stream = poll.stream
                    AND q."offset" BETWEEN poll.first_offset AND poll.last_offset
                    AND coin.coin_id = :coin_id)
ORDER BY poll.slot LIMIT 1;
