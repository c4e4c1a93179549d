-- Coins of a job that are absent, and since when.
SELECT coin_id, from_slot FROM absence
WHERE job_id = :job_id AND until_slot IS NULL ORDER BY coin_id;
