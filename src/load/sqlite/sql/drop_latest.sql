-- Last rows that were in a poll whose rows are gone now.
DELETE FROM latest
WHERE job_id = :job_id AND slot = :slot
  AND NOT EXISTS (SELECT 1 FROM market
                  WHERE market.slot = :slot AND market.job_id = :job_id
                    AND market.coin_id = latest.coin_id);
