-- The last row of a coin that has none, among the polls up to a slot.
INSERT INTO latest
SELECT market.* FROM poll
     CROSS JOIN market ON market.slot = poll.slot AND market.job_id = :job_id
                      AND market.coin_id = :coin_id
WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot <= :slot
  AND NOT EXISTS (SELECT 1 FROM latest
                  WHERE latest.job_id = :job_id AND latest.coin_id = :coin_id)
ORDER BY poll.slot DESC LIMIT 1;
