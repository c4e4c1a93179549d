-- The rows that ended these absences are gone: they end at the coins' next rows, or not yet.
UPDATE absence
SET until_slot = (SELECT min(slot) FROM {history}
                  WHERE slot > :slot AND {history}.job_id = :job_id
                    AND {history}.coin_id = absence.coin_id)
WHERE job_id = :job_id AND until_slot = :slot
  AND NOT EXISTS (SELECT 1 FROM {history}
                  WHERE {history}.slot = :slot AND {history}.job_id = :job_id
                    AND {history}.coin_id = absence.coin_id);
