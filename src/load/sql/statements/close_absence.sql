-- A coin that was absent has a row in this poll.
UPDATE absence SET until_slot = :slot
WHERE job_id = :job_id AND coin_id = :coin_id AND until_slot IS NULL AND from_slot < :slot;
