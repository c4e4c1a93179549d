-- Does the poll whose rows a slot has lack a coin that is not absent then, nor refused in it?
SELECT 1 FROM poll
WHERE job_id = :job_id AND slot = :slot AND loaded = 'rows'
  AND NOT EXISTS (SELECT 1 FROM market
                  WHERE market.slot = :slot AND market.job_id = :job_id
                    AND market.coin_id = :coin_id)
  AND NOT EXISTS (SELECT 1 FROM absence AS a
                  WHERE a.job_id = :job_id AND a.coin_id = :coin_id AND a.from_slot <= :slot
                    AND (a.until_slot IS NULL OR a.until_slot > :slot))
  AND NOT EXISTS (SELECT 1 FROM quarantine AS q
                  WHERE q.stream = poll.stream AND q.coin = :id
                    AND q.offset BETWEEN poll.first_offset AND poll.last_offset);
