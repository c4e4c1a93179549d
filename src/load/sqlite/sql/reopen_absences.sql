-- The rows that ended these absences are gone: they end at the coins' next rows, or not yet.
UPDATE absence
SET until_slot = (SELECT min(slot) FROM market
                  WHERE slot > :slot AND market.job_id = :job_id
                    AND market.coin_id = absence.coin_id)
WHERE job_id = :job_id AND until_slot = :slot
  AND NOT EXISTS (SELECT 1 FROM market
                  WHERE market.slot = :slot AND market.job_id = :job_id
                    AND market.coin_id = absence.coin_id);
