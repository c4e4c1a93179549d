-- Coins that a slot has a row of, or that are absent then.
SELECT coin_id FROM {history} WHERE slot = :slot AND job_id = :job_id
UNION
SELECT coin_id FROM absence
WHERE job_id = :job_id AND from_slot <= :slot AND (until_slot IS NULL OR until_slot > :slot)
ORDER BY coin_id;
