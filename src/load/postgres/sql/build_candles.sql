-- Candles of :step seconds, of a job, from the rows that came in [from, until). First and last are
-- found by windows: PostgreSQL, which thinks that there are few, would join them coin by coin.
WITH points AS (
    SELECT m.coin_id, m.fetched_at, m.current_price, m.market_cap, m.total_volume,
           row_number() OVER (PARTITION BY m.coin_id
                              ORDER BY m.current_price IS NULL, m.fetched_at, m.slot) AS nth,
           row_number() OVER (PARTITION BY m.coin_id ORDER BY m.current_price IS NULL,
                              m.fetched_at DESC, m.slot DESC) AS nth_last
    FROM poll JOIN market AS m ON m.slot = poll.slot AND m.job_id = poll.job_id
    WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot >= :first_slot
      AND poll.slot <= :last_slot AND poll.finished >= :from
      AND coalesce(poll.started, poll.slot) < :until
      AND m.slot >= :first_slot AND m.slot <= :last_slot
      AND m.fetched_at >= :from AND m.fetched_at < :until)
INSERT INTO candle (step, start, job_id, coin_id, open, high, low, close,
                    open_market_cap, open_total_volume, market_cap, total_volume,
                    first_at, last_at, rows, unpriced)
SELECT CAST(:step AS int), :from, CAST(:job_id AS int), coin_id,
       max(current_price) FILTER (WHERE nth = 1), max(current_price), min(current_price),
       max(current_price) FILTER (WHERE nth_last = 1),
       max(market_cap) FILTER (WHERE nth = 1 AND current_price IS NOT NULL),
       max(total_volume) FILTER (WHERE nth = 1 AND current_price IS NOT NULL),
       max(market_cap) FILTER (WHERE nth_last = 1 AND current_price IS NOT NULL),
       max(total_volume) FILTER (WHERE nth_last = 1 AND current_price IS NOT NULL),
       min(fetched_at) FILTER (WHERE current_price IS NOT NULL),
       max(fetched_at) FILTER (WHERE current_price IS NOT NULL),
       count(*), count(*) FILTER (WHERE current_price IS NULL)
FROM points GROUP BY coin_id;
