-- The rows of coins in polls become their last ones. A coin that is there twice has its last poll.
INSERT INTO {latest} (slot, job_id, {key}, {columns})
SELECT slot, job_id, {key}, {columns}
FROM (SELECT CAST(coin_id AS int), max(slot) AS slot
      FROM unnest(:coin_id, :slot) AS each (coin_id, slot) GROUP BY coin_id) AS touched
     JOIN {history} USING (slot, coin_id)
WHERE job_id = :job_id
ON CONFLICT (job_id, {key}) DO UPDATE SET slot = excluded.slot{replaced};
