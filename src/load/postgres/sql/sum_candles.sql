-- Candles of :step seconds, of a job, that begin at :from, from those of :part seconds in
-- [from, until). First and last are found by windows: PostgreSQL, which thinks that there are few,
-- would join them coin by coin.
WITH parts AS (
    SELECT *, row_number() OVER (PARTITION BY coin_id ORDER BY first_at, start) AS nth,
           row_number() OVER (PARTITION BY coin_id
                              ORDER BY last_at DESC NULLS LAST, start DESC) AS nth_last
    FROM candle
    WHERE step = :part AND start >= :from AND start < :until AND job_id = :job_id)
INSERT INTO candle (step, start, job_id, coin_id, open, high, low, close,
                    open_market_cap, open_total_volume, market_cap, total_volume,
                    first_at, last_at, rows, unpriced)
SELECT CAST(:step AS int), :from, CAST(:job_id AS int), coin_id,
       max(open) FILTER (WHERE nth = 1), max(high), min(low),
       max(close) FILTER (WHERE nth_last = 1), max(open_market_cap) FILTER (WHERE nth = 1),
       max(open_total_volume) FILTER (WHERE nth = 1), max(market_cap) FILTER (WHERE nth_last = 1),
       max(total_volume) FILTER (WHERE nth_last = 1), min(first_at), max(last_at), sum(rows),
       sum(unpriced)
FROM parts GROUP BY coin_id;
