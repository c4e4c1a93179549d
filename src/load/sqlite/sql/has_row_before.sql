-- Had a coin a row before a slot?
SELECT 1 FROM poll
WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot < :slot
  AND EXISTS (SELECT 1 FROM market
              WHERE market.slot = poll.slot AND market.job_id = :job_id
                AND market.coin_id = :coin_id)
ORDER BY poll.slot DESC LIMIT 1;
