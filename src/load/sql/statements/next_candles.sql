-- The first poll of a job, from :first_slot on, that may have rows which came at :from or later.
SELECT slot FROM poll
WHERE job_id = :job_id AND loaded = 'rows' AND slot >= :first_slot AND finished >= :from
ORDER BY slot LIMIT 1;
