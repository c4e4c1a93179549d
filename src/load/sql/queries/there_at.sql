-- A coin is not absent from a job at :slot.
NOT EXISTS (SELECT 1 FROM absence AS a
            WHERE a.job_id = :job_id AND a.coin_id = coin.coin_id AND a.from_slot <= :slot
              AND (a.until_slot IS NULL OR a.until_slot > :slot))
