-- CoinGecko's own candles of a coin in a currency, the finest first; of the same moment the one that
-- was fetched last comes first. They are told by their close.
SELECT o.at, o.step, o.open, o.high, o.low, o.close, NULL AS market_cap, NULL AS total_volume
FROM ohlc AS o JOIN job USING (job_id)
WHERE o.coin = :id AND o.at > :since AND o.at <= :until AND o.fetched_at <= :at
  AND job.vs_currency = :vs_currency AND o.open IS NOT NULL AND o.high IS NOT NULL
  AND o.low IS NOT NULL AND o.close IS NOT NULL
ORDER BY o.step, o.at, o.slot DESC;
