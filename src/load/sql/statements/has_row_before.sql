-- Had a coin a row before a slot?
SELECT 1 FROM poll
WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot < :slot
  AND EXISTS (SELECT 1 FROM {history}
              WHERE {history}.slot = poll.slot AND {history}.job_id = :job_id
                AND {history}.coin_id = :coin_id)
ORDER BY poll.slot DESC LIMIT 1;
