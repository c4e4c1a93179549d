-- The last row of the coins of a job that have none, from rows since some time.
INSERT INTO latest
SELECT market.*
FROM (SELECT coin_id, max(slot) AS slot FROM market
      WHERE job_id = :job_id AND slot >= :since
        AND coin_id NOT IN (SELECT coin_id FROM latest WHERE job_id = :job_id)
      GROUP BY coin_id) AS newest
JOIN market ON market.slot = newest.slot AND market.job_id = :job_id
           AND market.coin_id = newest.coin_id;
