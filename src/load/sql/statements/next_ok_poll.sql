SELECT slot FROM poll
WHERE job_id = :job_id AND loaded = 'rows' AND outcome = 'ok' AND slot > :slot
ORDER BY slot LIMIT 1;
