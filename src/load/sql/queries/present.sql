-- The last row of each coin in each currency, from the job that saw it last, and when: what has not
-- changed was seen by the job's last ok poll. Absent coins are left out. The columns of market go by their
-- names. CROSS JOIN: SQLite, which knows nothing of how many rows there are, would else read all of
-- latest for each coin.
SELECT job.vs_currency, coin.id, coin.symbol, coin.name, coin.image, m.fetched_at{others},
       CASE WHEN m.fetched_at > job.told THEN m.fetched_at ELSE job.told END AS seen
FROM ({told}) AS job JOIN {latest} AS m USING (job_id) JOIN coin USING (coin_id)
WHERE NOT EXISTS (SELECT 1 FROM absence AS a
                  WHERE a.job_id = m.job_id AND a.coin_id = m.coin_id AND a.until_slot IS NULL)
  AND NOT EXISTS (SELECT 1
                  FROM ({told}) AS other CROSS JOIN {latest} AS newer
                  WHERE other.vs_currency = job.vs_currency AND other.job_id <> job.job_id
                    AND newer.job_id = other.job_id AND newer.coin_id = m.coin_id
                    AND (CASE WHEN newer.fetched_at > other.told THEN newer.fetched_at
                              ELSE other.told END, newer.job_id) >
                        (CASE WHEN m.fetched_at > job.told THEN m.fetched_at
                              ELSE job.told END, m.job_id)
                    AND NOT EXISTS (SELECT 1 FROM absence AS a
                                    WHERE a.job_id = newer.job_id AND a.coin_id = newer.coin_id
                                      AND a.until_slot IS NULL))
