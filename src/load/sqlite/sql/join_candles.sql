ON CONFLICT (step, start, job_id, coin_id) DO UPDATE SET
    open = CASE WHEN first_at IS NULL OR excluded.first_at < first_at
                THEN excluded.open ELSE open END,
    open_market_cap = CASE WHEN first_at IS NULL OR excluded.first_at < first_at
                           THEN excluded.open_market_cap ELSE open_market_cap END,
    open_total_volume = CASE WHEN first_at IS NULL OR excluded.first_at < first_at
                             THEN excluded.open_total_volume ELSE open_total_volume END,
    close = CASE WHEN last_at IS NULL OR excluded.last_at >= last_at
                 THEN excluded.close ELSE close END,
    market_cap = CASE WHEN last_at IS NULL OR excluded.last_at >= last_at
                      THEN excluded.market_cap ELSE market_cap END,
    total_volume = CASE WHEN last_at IS NULL OR excluded.last_at >= last_at
                        THEN excluded.total_volume ELSE total_volume END,
    high = CASE WHEN high IS NULL THEN excluded.high
                WHEN typeof(high) = 'text' OR typeof(excluded.high) = 'text'
                THEN CASE WHEN CAST(excluded.high AS REAL) > CAST(high AS REAL)
                          THEN excluded.high ELSE high END
                WHEN excluded.high > high THEN excluded.high ELSE high END,
    low = CASE WHEN low IS NULL THEN excluded.low
               WHEN typeof(low) = 'text' OR typeof(excluded.low) = 'text'
               THEN CASE WHEN CAST(excluded.low AS REAL) < CAST(low AS REAL)
                         THEN excluded.low ELSE low END
               WHEN excluded.low < low THEN excluded.low ELSE low END,
    first_at = coalesce(min(first_at, excluded.first_at), first_at, excluded.first_at),
    last_at = coalesce(max(last_at, excluded.last_at), last_at, excluded.last_at),
    rows = rows + excluded.rows, unpriced = unpriced + excluded.unpriced;
