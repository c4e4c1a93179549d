-- A coin's candles of :step seconds in a job that begin in [from, until): each bucket is looked up.
WITH RECURSIVE bucket (start) AS (
    SELECT :from WHERE :from < :until
    UNION ALL
    SELECT start + :step * 1000000 FROM bucket WHERE start + :step * 1000000 < :until)
SELECT candle.open, candle.high, candle.low, candle.close, candle.open_market_cap,
       candle.open_total_volume, candle.market_cap, candle.total_volume, candle.first_at,
       candle.last_at
FROM bucket CROSS JOIN candle ON candle.step = :step AND candle.start = bucket.start
                             AND candle.job_id = :job_id AND candle.coin_id = :coin_id
WHERE candle.open IS NOT NULL;
