-- A coin's absences that begin in [from, until); without until, all from there on.
DELETE FROM absence
WHERE job_id = :job_id AND coin_id = :coin_id AND from_slot >= :from_slot
  AND (:until_slot IS NULL OR from_slot < :until_slot);
