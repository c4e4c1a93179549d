-- Last rows that were in polls of these slots, and are gone now.
DELETE FROM {latest}
WHERE job_id = :job_id AND slot BETWEEN :first_slot AND :last_slot
  AND NOT EXISTS (SELECT 1 FROM {history}
                  WHERE {history}.slot = {latest}.slot AND {history}.job_id = :job_id
                    AND {history}.{key} = {latest}.{key})
RETURNING {key};
