-- The last row of a key that has none, among the polls up to a slot.
INSERT INTO {latest} (slot, job_id, {key}, {columns})
SELECT {history}.slot, {history}.job_id, {key}, {columns}
FROM poll JOIN {history} ON {history}.slot = poll.slot
WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot <= :slot
  AND {history}.job_id = :job_id AND {history}.{key} = :key
  AND NOT EXISTS (SELECT 1 FROM {latest}
                  WHERE {latest}.job_id = :job_id AND {latest}.{key} = :key)
ORDER BY poll.slot DESC LIMIT 1;
