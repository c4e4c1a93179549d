-- The poll before a slot that has rows.
SELECT slot, outcome, stream, last_offset, transform_version FROM poll
WHERE job_id = :job_id AND loaded = 'rows' AND slot < :slot ORDER BY slot DESC LIMIT 1;
