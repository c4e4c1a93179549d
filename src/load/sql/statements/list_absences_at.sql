-- Absences that a slot is in, or that end with it.
SELECT a.coin_id, coin.id, a.from_slot, a.until_slot
FROM absence AS a JOIN coin USING (coin_id)
WHERE a.job_id = :job_id AND a.from_slot <= :slot
  AND (a.until_slot IS NULL OR a.until_slot >= :slot);
