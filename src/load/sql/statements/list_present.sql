-- The coins of a job that are thought present.
SELECT coin.id FROM {latest} JOIN coin USING (coin_id)
WHERE job_id = :job_id
  AND NOT EXISTS (SELECT 1 FROM absence AS a
                  WHERE a.job_id = :job_id AND a.coin_id = {latest}.coin_id
                    AND a.until_slot IS NULL);
