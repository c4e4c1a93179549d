-- The poll left the coin's row out: it has none, though it had the coin, whose row before has a price.
-- Each is looked up by its key: as NOT EXISTS, PostgreSQL would join them all before it knows how
-- many there are.
(SELECT 1 FROM market AS m
 WHERE m.slot = poll.slot AND m.job_id = :job_id AND m.coin_id = known.coin_id) IS NULL
AND (known.price IS NOT NULL OR poll.finished > known.first_at)
AND (known.unpriced = 0
     OR coalesce((SELECT m.current_price IS NOT NULL
                  FROM poll AS p JOIN market AS m ON m.slot = p.slot AND m.job_id = p.job_id
                                                 AND m.coin_id = known.coin_id
                  WHERE p.job_id = :job_id AND p.loaded = 'rows' AND p.slot >= :first_slot
                    AND p.slot < poll.slot
                  ORDER BY p.slot DESC LIMIT 1), known.price IS NOT NULL))
AND (SELECT 1 FROM absence AS a
     WHERE a.job_id = :job_id AND a.coin_id = known.coin_id AND a.from_slot <= poll.slot
       AND (a.until_slot IS NULL OR a.until_slot > poll.slot) LIMIT 1) IS NULL
AND (poll.rows_quarantined = 0
     OR NOT EXISTS (SELECT 1 FROM quarantine AS q JOIN coin ON coin.id = q.coin
                    WHERE q.stream = poll.stream
                      AND q."offset" BETWEEN poll.first_offset AND poll.last_offset
                      AND coin.coin_id = known.coin_id AND q.reason <> 'duplicate coin'
                      AND (q.reason = 'duplicate key' OR q.field IN ('id', 'symbol', 'name')
                           OR q.field IS NULL AND q.reason <> 'bad text')))
