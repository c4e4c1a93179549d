-- Last rows that were in polls of these slots, and are gone now.
DELETE FROM latest
WHERE job_id = :job_id AND slot BETWEEN :first_slot AND :last_slot
  AND NOT EXISTS (SELECT 1 FROM market
                  WHERE market.slot = latest.slot AND market.job_id = :job_id
                    AND market.coin_id = latest.coin_id)
RETURNING coin_id;
