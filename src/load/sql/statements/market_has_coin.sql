-- Does a job see the coin in coins/markets, since some time?
SELECT 1 FROM job JOIN latest USING (job_id)
WHERE latest.coin_id = :coin_id AND latest.fetched_at > :since
  AND NOT EXISTS (SELECT 1 FROM absence AS a
                  WHERE a.job_id = job.job_id AND a.coin_id = :coin_id
                    AND a.until_slot IS NULL)
LIMIT 1;
