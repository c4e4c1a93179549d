-- Rows that polls left out, as they had not changed, count when these were over, with the row
-- before: candles of :step seconds in [from, until) begin and end with them too, and those that have
-- no others are flat. What the rows equal came in the bucket, or made the coin's last candle of
-- [since, from).
WITH thrifty AS MATERIALIZED (
    SELECT slot, finished, stream, first_offset, last_offset, rows_quarantined FROM poll
    WHERE job_id = :job_id AND loaded = 'rows' AND rows_unchanged > 0
      AND slot >= :from_slot AND slot <= :until_slot AND finished >= :from AND finished < :until),
carried AS MATERIALIZED (
    SELECT DISTINCT ON (coin_id) * FROM candle
    WHERE step = :step AND start >= :since AND start < :from AND job_id = :job_id
    ORDER BY coin_id, start DESC),
own AS MATERIALIZED (
    SELECT * FROM candle WHERE step = :step AND start = :from AND job_id = :job_id),
known AS MATERIALIZED (
    SELECT coin_id, own.first_at, coalesce(own.unpriced, 0) AS unpriced,
           CASE WHEN carried.unpriced > 0 THEN base.current_price ELSE carried.close END AS price,
           CASE WHEN carried.unpriced > 0 THEN base.market_cap
                ELSE carried.market_cap END AS market_cap,
           CASE WHEN carried.unpriced > 0 THEN base.total_volume
                ELSE carried.total_volume END AS total_volume
    FROM carried FULL JOIN own USING (coin_id)
    -- some of its rows had no price: had the last one?
    LEFT JOIN LATERAL (SELECT m.current_price, m.market_cap, m.total_volume
                       FROM poll AS p JOIN market AS m ON m.slot = p.slot AND m.job_id = p.job_id
                       WHERE carried.unpriced > 0 AND m.coin_id = carried.coin_id AND p.job_id = :job_id
                         AND p.loaded = 'rows' AND p.slot >= :first_slot
                         AND p.slot < :from_slot
                       ORDER BY p.slot DESC LIMIT 1) AS base ON true),
ends AS (
    SELECT known.coin_id, known.price, known.market_cap, known.total_volume,
           min(poll.finished) AS first_at, max(poll.finished) AS last_at
    FROM known CROSS JOIN thrifty AS poll
    WHERE {left_out}
    GROUP BY known.coin_id, known.price, known.market_cap, known.total_volume)
INSERT INTO candle (step, start, job_id, coin_id, open, high, low, close,
                    open_market_cap, open_total_volume, market_cap, total_volume,
                    first_at, last_at, rows, unpriced)
SELECT CAST(:step AS int), :from, CAST(:job_id AS int), coin_id, price, price, price, price,
       market_cap, total_volume, market_cap, total_volume, first_at, last_at, 0, 0
FROM ends
ON CONFLICT (step, start, job_id, coin_id) DO UPDATE SET
    open = CASE WHEN candle.first_at IS NULL OR excluded.first_at < candle.first_at
                THEN excluded.open ELSE candle.open END,
    open_market_cap = CASE WHEN candle.first_at IS NULL OR excluded.first_at < candle.first_at
                           THEN excluded.open_market_cap ELSE candle.open_market_cap END,
    open_total_volume = CASE WHEN candle.first_at IS NULL OR excluded.first_at < candle.first_at
                             THEN excluded.open_total_volume ELSE candle.open_total_volume END,
    close = CASE WHEN candle.last_at IS NULL THEN excluded.close ELSE candle.close END,
    market_cap = CASE WHEN candle.last_at IS NULL
                      THEN excluded.market_cap ELSE candle.market_cap END,
    total_volume = CASE WHEN candle.last_at IS NULL
                        THEN excluded.total_volume ELSE candle.total_volume END,
    high = CASE WHEN excluded.first_at >= candle.first_at THEN candle.high
                ELSE greatest(candle.high, excluded.high) END,
    low = CASE WHEN excluded.first_at >= candle.first_at THEN candle.low
               ELSE least(candle.low, excluded.low) END,
    first_at = least(candle.first_at, excluded.first_at),
    last_at = greatest(candle.last_at, excluded.last_at);
