-- What the reader's other statements ask: the last row of each coin in each currency, from the job
-- that saw it last; absent coins are left out. The columns of market go by their names.
CREATE TEMP VIEW present AS
SELECT job.vs_currency, coin.id, coin.symbol, coin.name, coin.image, row.*
FROM main.job AS job JOIN main.latest AS row USING (job_id) JOIN main.coin AS coin USING (coin_id)
WHERE NOT EXISTS (SELECT 1 FROM main.absence AS a
                  WHERE a.job_id = row.job_id AND a.coin_id = row.coin_id
                    AND a.until_slot IS NULL)
  AND NOT EXISTS (SELECT 1
                  FROM main.job AS other JOIN main.latest AS newer USING (job_id)
                  WHERE other.vs_currency = job.vs_currency AND other.job_id <> job.job_id
                    AND newer.coin_id = row.coin_id
                    AND (newer.fetched_at, newer.job_id) > (row.fetched_at, row.job_id)
                    AND NOT EXISTS (SELECT 1 FROM main.absence AS a
                                    WHERE a.job_id = newer.job_id AND a.coin_id = newer.coin_id
                                      AND a.until_slot IS NULL));
