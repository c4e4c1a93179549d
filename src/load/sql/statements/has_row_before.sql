-- Had a coin a row before a slot? Of the time whose rows were removed candles of days tell.
SELECT 1 FROM poll
WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot < :slot
  AND (EXISTS (SELECT 1 FROM {history}
               WHERE {history}.slot = poll.slot AND {history}.job_id = :job_id
                 AND {history}.coin_id = :coin_id)
       OR EXISTS (SELECT 1 FROM candle_upkeep AS u JOIN candle AS c ON c.job_id = u.job_id
                  WHERE u.job_id = :job_id AND c.step = 86400 AND c.start < u.rows_from
                    AND c.coin_id = :coin_id AND coalesce(c.first_at, c.start) < u.rows_from))
ORDER BY poll.slot DESC LIMIT 1;
