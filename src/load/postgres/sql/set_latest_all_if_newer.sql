-- The rows of a poll become the last ones of their keys, unless later ones are there.
INSERT INTO {latest} (slot, job_id, {key}, {columns})
SELECT slot, job_id, {key}, {columns}
FROM {history} WHERE slot = :slot AND job_id = :job_id
ON CONFLICT (job_id, {key}) DO UPDATE SET slot = excluded.slot{replaced}
WHERE {latest}.slot <= excluded.slot;
