-- The rows of a poll become the last ones of their keys, unless later ones are there.
INSERT OR REPLACE INTO {latest}
SELECT * FROM {history}
WHERE slot = :slot AND job_id = :job_id
  AND NOT EXISTS (SELECT 1 FROM {latest}
                  WHERE {latest}.job_id = :job_id AND {latest}.{key} = {history}.{key}
                    AND {latest}.slot > :slot);
