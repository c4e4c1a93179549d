-- Is a coin absent at a slot? No row: it was not known before a time.
SELECT coin.coin_id, EXISTS (SELECT 1 FROM absence AS a
                             WHERE a.job_id = :job_id AND a.coin_id = coin.coin_id
                               AND a.from_slot <= :slot
                               AND (a.until_slot IS NULL OR a.until_slot > :slot))
FROM coin WHERE id = :id AND first_seen < :before;
