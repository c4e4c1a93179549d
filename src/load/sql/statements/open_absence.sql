-- A coin is absent from a slot on, unless it was already.
INSERT INTO absence (job_id, coin_id, from_slot, until_slot)
SELECT :job_id, coin_id, :slot, NULL
FROM coin
WHERE id = :id
  AND NOT EXISTS (SELECT 1 FROM absence
                  WHERE job_id = :job_id AND absence.coin_id = coin.coin_id
                    AND from_slot <= :slot AND (until_slot IS NULL OR until_slot > :slot));
