-- What some coins cost by the first poll of a job in [:since, :until). The first poll of an hour
-- stores every row, so within whole hours there is one of each coin that it had.
SELECT coin.id, m.slot, m.current_price
FROM coin CROSS JOIN {history} AS m
WHERE coin.id IN ({ids}) AND m.coin_id = coin.coin_id AND m.job_id = :job_id
  AND m.slot = (SELECT min(poll.slot) FROM poll
                WHERE poll.job_id = :job_id AND poll.loaded = 'rows'
                  AND poll.slot >= :since AND poll.slot < :until AND poll.finished <= :at)
  AND m.current_price IS NOT NULL;
