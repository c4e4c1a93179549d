-- Absences that a time touches.
SELECT coin_id, from_slot, until_slot FROM absence
WHERE job_id = :job_id AND from_slot <= :last_slot
  AND (until_slot IS NULL OR until_slot >= :first_slot)
ORDER BY coin_id, from_slot;
