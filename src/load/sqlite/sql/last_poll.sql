-- The newest poll of a job that has rows.
SELECT slot, outcome, stream, last_offset, transform_version FROM poll
WHERE job_id = :job_id AND loaded = 'rows' ORDER BY slot DESC LIMIT 1;
