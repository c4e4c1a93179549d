DELETE FROM quality_flag WHERE slot = :slot AND job_id = :job_id;
