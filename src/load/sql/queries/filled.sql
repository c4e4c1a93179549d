-- CoinGecko's own points of a coin in a currency, the finest first; of the same moment the one that
-- was fetched last comes first.
SELECT h.at, h.step, h.price AS open, h.price AS high, h.price AS low, h.price AS close,
       h.market_cap, h.total_volume
FROM history AS h JOIN job USING (job_id)
WHERE h.coin = :id AND h.at > :since AND h.at <= :until AND h.fetched_at <= :at
  AND job.vs_currency = :vs_currency AND h.price IS NOT NULL
ORDER BY h.step, h.at, h.slot DESC;
