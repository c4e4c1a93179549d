-- Candles of :step seconds, of a job, that begin at :from, from those of :part seconds in
-- [from, until).
INSERT INTO candle (step, start, job_id, coin_id, open, high, low, close,
                    open_market_cap, open_total_volume, market_cap, total_volume,
                    first_at, last_at, rows, unpriced)
SELECT :step, :from, :job_id, part.coin_id, part.open, part.high, part.low, part.close,
       part.open_market_cap, part.open_total_volume, part.market_cap, part.total_volume,
       part.first_at, part.last_at, part.rows, part.unpriced
FROM candle AS part
WHERE part.step = :part AND part.start >= :from AND part.start < :until AND part.job_id = :job_id
ORDER BY part.start
{join_candles}
