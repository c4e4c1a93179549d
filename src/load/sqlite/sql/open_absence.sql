-- A poll that comes late (another collector's) may find the coin's return already stored.
INSERT INTO absence (job_id, coin_id, from_slot, until_slot)
SELECT :job_id, coin_id, :slot,
       (SELECT min(slot) FROM market
        WHERE :is_late AND slot > :slot AND job_id = :job_id AND market.coin_id = coin.coin_id)
FROM coin
WHERE id = :id
  AND NOT EXISTS (SELECT 1 FROM absence
                  WHERE job_id = :job_id AND absence.coin_id = coin.coin_id
                    AND from_slot <= :slot AND (until_slot IS NULL OR until_slot > :slot));
