-- The last row of a key that has none, among the polls up to a slot.
INSERT INTO {latest}
SELECT {history}.* FROM poll
     CROSS JOIN {history} ON {history}.slot = poll.slot AND {history}.job_id = :job_id
                      AND {history}.{key} = :key
WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot <= :slot
  AND NOT EXISTS (SELECT 1 FROM {latest}
                  WHERE {latest}.job_id = :job_id AND {latest}.{key} = :key)
ORDER BY poll.slot DESC LIMIT 1;
