-- A coin that is absent from a late poll's slot on, and was found absent later: since this slot.
UPDATE absence SET from_slot = :slot
WHERE job_id = :job_id AND coin_id = (SELECT coin_id FROM coin WHERE id = :id)
  AND from_slot = (SELECT min(from_slot) FROM absence AS later
                   WHERE later.job_id = :job_id AND later.coin_id = absence.coin_id
                     AND later.from_slot > :slot)
  AND NOT EXISTS (SELECT 1 FROM absence AS earlier
                  WHERE earlier.job_id = :job_id AND earlier.coin_id = absence.coin_id
                    AND earlier.from_slot <= :slot
                    AND (earlier.until_slot IS NULL OR earlier.until_slot > :slot))
  AND NOT EXISTS (SELECT 1 FROM market
                  WHERE slot > :slot AND slot < absence.from_slot AND market.job_id = :job_id
                    AND market.coin_id = absence.coin_id);
