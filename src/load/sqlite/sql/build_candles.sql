-- Candles of :step seconds, of a job, from the rows that came in [from, until). Rows of a coin are
-- joined one by one; numbers that are TEXT are compared as SQLite can.
INSERT INTO candle (step, start, job_id, coin_id, open, high, low, close,
                    open_market_cap, open_total_volume, market_cap, total_volume,
                    first_at, last_at, rows, unpriced)
SELECT :step, :from, :job_id, m.coin_id,
       m.current_price, m.current_price, m.current_price, m.current_price,
       CASE WHEN m.current_price IS NOT NULL THEN m.market_cap END,
       CASE WHEN m.current_price IS NOT NULL THEN m.total_volume END,
       CASE WHEN m.current_price IS NOT NULL THEN m.market_cap END,
       CASE WHEN m.current_price IS NOT NULL THEN m.total_volume END,
       CASE WHEN m.current_price IS NOT NULL THEN m.fetched_at END,
       CASE WHEN m.current_price IS NOT NULL THEN m.fetched_at END,
       1, m.current_price IS NULL
FROM poll CROSS JOIN market AS m ON m.slot = poll.slot AND m.job_id = poll.job_id
WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot >= :first_slot
  AND poll.slot <= :last_slot AND poll.finished >= :from
  AND coalesce(poll.started, poll.slot) < :until AND m.fetched_at >= :from
  AND m.fetched_at < :until
ORDER BY m.coin_id, poll.slot
{join_candles}
