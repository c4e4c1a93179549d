-- The slot of a coin's next row. Step by step: few polls lie between two rows of a coin.
SELECT poll.slot FROM poll
WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot > :slot
  AND EXISTS (SELECT 1 FROM market
              WHERE market.slot = poll.slot AND market.job_id = :job_id
                AND market.coin_id = :coin_id)
ORDER BY poll.slot LIMIT 1;
