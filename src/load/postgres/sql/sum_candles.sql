-- Candles of :step seconds, of a job, that begin at :from, from those of :part seconds in
-- [from, until).
WITH parts AS MATERIALIZED (
    SELECT * FROM candle
    WHERE step = :part AND start >= :from AND start < :until AND job_id = :job_id),
opens AS (
    SELECT DISTINCT ON (coin_id) * FROM parts WHERE first_at IS NOT NULL
    ORDER BY coin_id, first_at, start),
closes AS (
    SELECT DISTINCT ON (coin_id) * FROM parts WHERE last_at IS NOT NULL
    ORDER BY coin_id, last_at DESC, start DESC)
INSERT INTO candle (step, start, job_id, coin_id, open, high, low, close,
                    open_market_cap, open_total_volume, market_cap, total_volume,
                    first_at, last_at, rows, unpriced)
SELECT CAST(:step AS int), :from, CAST(:job_id AS int), coin_id,
       opens.open, sums.high, sums.low, closes.close,
       opens.open_market_cap, opens.open_total_volume, closes.market_cap, closes.total_volume,
       opens.first_at, closes.last_at, sums.rows, sums.unpriced
FROM (SELECT coin_id, max(high) AS high, min(low) AS low, sum(rows) AS rows,
             sum(unpriced) AS unpriced
      FROM parts GROUP BY coin_id) AS sums
LEFT JOIN opens USING (coin_id) LEFT JOIN closes USING (coin_id);
