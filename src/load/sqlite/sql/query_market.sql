-- The last row of each coin in a currency, from the job that saw it last; absent coins are left
-- out. :order is enum market_order. The columns of market follow those of coin by name.
WITH present AS (
    SELECT latest.*, job.vs_currency
    FROM latest JOIN job USING (job_id)
    WHERE job.vs_currency = :vs_currency
      AND NOT EXISTS (SELECT 1 FROM absence
                      WHERE absence.job_id = latest.job_id AND absence.coin_id = latest.coin_id
                        AND absence.until_slot IS NULL)
)
SELECT coin.id, coin.symbol, coin.name, coin.image, row.*
FROM present AS row JOIN coin USING (coin_id)
WHERE (:id IS NULL OR coin.id = :id)
  AND NOT EXISTS (SELECT 1 FROM present AS newer
                  WHERE newer.coin_id = row.coin_id
                    AND (newer.fetched_at, newer.job_id) > (row.fetched_at, row.job_id))
ORDER BY CASE :order WHEN 0 THEN -(row.market_cap + 0.0)
                     WHEN 1 THEN row.market_cap + 0.0
                     WHEN 2 THEN -(row.total_volume + 0.0)
                     WHEN 3 THEN row.total_volume + 0.0 END NULLS LAST,
         CASE :order WHEN 5 THEN coin.id END DESC,
         coin.id
LIMIT :limit OFFSET :skip;
