-- The rows of a poll become the last ones of their coins, unless later ones are there.
INSERT OR REPLACE INTO latest
SELECT * FROM market
WHERE slot = :slot AND job_id = :job_id
  AND NOT EXISTS (SELECT 1 FROM latest
                  WHERE latest.job_id = :job_id AND latest.coin_id = market.coin_id
                    AND latest.slot > :slot);
