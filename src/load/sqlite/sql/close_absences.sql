-- Coins that were absent and have a row in this poll.
UPDATE absence SET until_slot = :slot
WHERE job_id = :job_id AND until_slot IS NULL AND from_slot < :slot
  AND EXISTS (SELECT 1 FROM market
              WHERE market.slot = :slot AND market.job_id = :job_id
                AND market.coin_id = absence.coin_id);
