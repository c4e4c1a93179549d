-- A coin that goes absent was last seen by the job's ok poll before.
UPDATE coin
SET last_seen = max(last_seen, coalesce((SELECT finished FROM poll
                                         WHERE job_id = :job_id AND slot < :slot
                                           AND outcome = 'ok' AND loaded = 'rows'
                                         ORDER BY slot DESC LIMIT 1), 0))
WHERE id = :id;
