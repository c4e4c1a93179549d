-- Rows that polls left out, as they had not changed, count when these were over, with the row
-- before: candles of :step seconds in [from, until) begin and end with them too, and those that have
-- no others are flat. What the rows equal came in the bucket, or made the coin's last candle of
-- [since, from).
WITH each AS (
    SELECT coin_id, max(before_start) AS before_start
    FROM (SELECT coin_id, start AS before_start FROM candle
          WHERE step = :step AND start >= :since AND start < :from AND job_id = :job_id
          UNION ALL
          SELECT coin_id, NULL FROM candle
          WHERE step = :step AND start = :from AND job_id = :job_id)
    GROUP BY coin_id),
known AS MATERIALIZED (
    SELECT each.coin_id, own.first_at, coalesce(own.unpriced, 0) AS unpriced,
           CASE WHEN before.unpriced > 0 THEN base.current_price ELSE before.close END AS price,
           CASE WHEN before.unpriced > 0 THEN base.market_cap
                ELSE before.market_cap END AS market_cap,
           CASE WHEN before.unpriced > 0 THEN base.total_volume
                ELSE before.total_volume END AS total_volume
    FROM each
    LEFT JOIN candle AS own ON own.step = :step AND own.start = :from AND own.job_id = :job_id
                           AND own.coin_id = each.coin_id
    LEFT JOIN candle AS before ON before.step = :step AND before.start = each.before_start
                              AND before.job_id = :job_id AND before.coin_id = each.coin_id
    -- some of its rows had no price: had the last one?
    LEFT JOIN market AS base ON before.unpriced > 0 AND base.job_id = :job_id
                            AND base.coin_id = each.coin_id
                            AND base.slot = (SELECT p.slot FROM poll AS p CROSS JOIN market AS m
                                             ON m.slot = p.slot AND m.job_id = p.job_id
                                                AND m.coin_id = each.coin_id
                                             WHERE p.job_id = :job_id AND p.loaded = 'rows'
                                               AND p.slot >= :first_slot
                                               AND p.slot < :from_slot
                                             ORDER BY p.slot DESC LIMIT 1)),
ends AS MATERIALIZED (
    SELECT known.coin_id, known.price, known.market_cap, known.total_volume,
           (SELECT poll.finished FROM poll
            WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.rows_unchanged > 0
              AND poll.slot >= :from_slot AND poll.slot <= :until_slot
              AND poll.finished >= :from AND poll.finished < :until
              AND {left_out}
            ORDER BY poll.slot LIMIT 1) AS first_at,
           (SELECT poll.finished FROM poll
            WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.rows_unchanged > 0
              AND poll.slot >= :from_slot AND poll.slot <= :until_slot
              AND poll.finished >= :from AND poll.finished < :until
              AND {left_out}
            ORDER BY poll.slot DESC LIMIT 1) AS last_at
    FROM known)
INSERT INTO candle (step, start, job_id, coin_id, open, high, low, close,
                    open_market_cap, open_total_volume, market_cap, total_volume,
                    first_at, last_at, rows, unpriced)
SELECT :step, :from, :job_id, coin_id, price, price, price, price,
       market_cap, total_volume, market_cap, total_volume, first_at, last_at, 0, 0
FROM ends WHERE first_at IS NOT NULL
ON CONFLICT (step, start, job_id, coin_id) DO UPDATE SET
    open = CASE WHEN first_at IS NULL OR excluded.first_at < first_at
                THEN excluded.open ELSE open END,
    open_market_cap = CASE WHEN first_at IS NULL OR excluded.first_at < first_at
                           THEN excluded.open_market_cap ELSE open_market_cap END,
    open_total_volume = CASE WHEN first_at IS NULL OR excluded.first_at < first_at
                             THEN excluded.open_total_volume ELSE open_total_volume END,
    close = CASE WHEN last_at IS NULL THEN excluded.close ELSE close END,
    market_cap = CASE WHEN last_at IS NULL THEN excluded.market_cap ELSE market_cap END,
    total_volume = CASE WHEN last_at IS NULL THEN excluded.total_volume ELSE total_volume END,
    high = CASE WHEN high IS NULL THEN excluded.high
                WHEN excluded.first_at >= first_at THEN high
                WHEN typeof(high) = 'text' OR typeof(excluded.high) = 'text'
                THEN CASE WHEN CAST(excluded.high AS REAL) > CAST(high AS REAL)
                          THEN excluded.high ELSE high END
                WHEN excluded.high > high THEN excluded.high ELSE high END,
    low = CASE WHEN low IS NULL THEN excluded.low
               WHEN excluded.first_at >= first_at THEN low
               WHEN typeof(low) = 'text' OR typeof(excluded.low) = 'text'
               THEN CASE WHEN CAST(excluded.low AS REAL) < CAST(low AS REAL)
                         THEN excluded.low ELSE low END
               WHEN excluded.low < low THEN excluded.low ELSE low END,
    first_at = coalesce(min(first_at, excluded.first_at), excluded.first_at),
    last_at = coalesce(max(last_at, excluded.last_at), excluded.last_at);
