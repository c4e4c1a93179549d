-- A coin's candles of :step seconds in a job that begin in [from, until): each bucket is looked up.
SELECT c.open, c.high, c.low, c.close, c.open_market_cap, c.open_total_volume, c.market_cap,
       c.total_volume, c.first_at, c.last_at
FROM generate_series(:from, :until, make_interval(secs => CAST(:step AS int))) AS bucket (start)
CROSS JOIN LATERAL (SELECT * FROM candle
                    WHERE step = CAST(:step AS int) AND start = bucket.start
                      AND job_id = :job_id AND coin_id = :coin_id
                    LIMIT 1) AS c
WHERE bucket.start < :until AND c.open IS NOT NULL;
