-- Candles of :step seconds, of a job, from the rows that came in [from, until).
WITH points AS MATERIALIZED (
    SELECT m.coin_id, m.slot, m.fetched_at, m.current_price, m.market_cap, m.total_volume
    FROM poll JOIN market AS m ON m.slot = poll.slot AND m.job_id = poll.job_id
    WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot >= :first_slot
      AND poll.slot <= :last_slot AND poll.finished >= :from
  AND coalesce(poll.started, poll.slot) < :until
      AND m.slot >= :first_slot AND m.slot <= :last_slot
      AND m.fetched_at >= :from AND m.fetched_at < :until),
opens AS (
    SELECT DISTINCT ON (coin_id) * FROM points WHERE current_price IS NOT NULL
    ORDER BY coin_id, fetched_at, slot),
closes AS (
    SELECT DISTINCT ON (coin_id) * FROM points WHERE current_price IS NOT NULL
    ORDER BY coin_id, fetched_at DESC, slot DESC)
INSERT INTO candle (step, start, job_id, coin_id, open, high, low, close,
                    open_market_cap, open_total_volume, market_cap, total_volume,
                    first_at, last_at, rows, unpriced)
SELECT CAST(:step AS int), :from, CAST(:job_id AS int), coin_id,
       opens.current_price, high, low, closes.current_price,
       opens.market_cap, opens.total_volume, closes.market_cap, closes.total_volume,
       opens.fetched_at, closes.fetched_at, rows, unpriced
FROM (SELECT coin_id, max(current_price) AS high, min(current_price) AS low, count(*) AS rows,
             count(*) FILTER (WHERE current_price IS NULL) AS unpriced
      FROM points GROUP BY coin_id) AS sums
LEFT JOIN opens USING (coin_id) LEFT JOIN closes USING (coin_id);
