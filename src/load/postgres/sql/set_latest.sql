-- The rows of coins in polls become their last ones. A coin that is there twice has its last poll.
-- LIMIT keeps the planner from reading all rows in place of these.
INSERT INTO {latest} (slot, job_id, {key}, {columns})
SELECT slot, job_id, {key}, {columns}
FROM (SELECT CAST(coin AS int) AS coin, max(at) AS at
      FROM unnest(:coin_id, :slot) AS each (coin, at) GROUP BY coin) AS touched
     CROSS JOIN LATERAL (SELECT slot, job_id, {key}, {columns} FROM {history}
                         WHERE slot = touched.at AND job_id = :job_id AND {key} = touched.coin
                         LIMIT 1) AS stored
ON CONFLICT (job_id, {key}) DO UPDATE SET slot = excluded.slot{replaced};
