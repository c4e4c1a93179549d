-- The rows of all coins in all jobs of a currency that came in [from, until), of polls that were
-- whole at :at. In no order: to sort rows so wide, a store would spill them to disk.
SELECT coin.id, name.symbol, name.name, coin.image, m.fetched_at{others}
FROM job
     JOIN poll ON poll.job_id = job.job_id AND poll.loaded = 'rows' AND poll.slot >= :first_slot
              AND poll.slot <= :last_slot AND poll.finished >= :from AND poll.finished <= :at
     JOIN {history} AS m ON m.slot = poll.slot AND m.job_id = poll.job_id
     JOIN coin ON coin.coin_id = m.coin_id
     JOIN coin_name AS name ON {name_at}
WHERE job.endpoint = 'coins/markets' AND job.vs_currency = :vs_currency
  AND m.fetched_at >= :from AND m.fetched_at < :until;
