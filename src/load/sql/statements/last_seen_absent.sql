-- A coin that goes absent was last seen by the job's ok poll before.
UPDATE coin
SET last_seen = coalesce((SELECT CASE WHEN finished > coin.last_seen THEN finished
                                      ELSE coin.last_seen END
                          FROM poll
                          WHERE job_id = :job_id AND slot < :slot
                            AND outcome = 'ok' AND loaded = 'rows'
                          ORDER BY slot DESC LIMIT 1), last_seen)
WHERE id = :id;
