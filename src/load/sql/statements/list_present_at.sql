-- Coins that are not absent at a slot, among those first seen before some time.
SELECT coin_id, coin.id FROM {latest} JOIN coin USING (coin_id)
WHERE job_id = :job_id AND coin.first_seen < :before
  AND NOT EXISTS (SELECT 1 FROM absence AS a
                  WHERE a.job_id = :job_id AND a.coin_id = {latest}.coin_id AND a.from_slot <= :slot
                    AND (a.until_slot IS NULL OR a.until_slot > :slot));
