DELETE FROM market WHERE slot = :slot AND job_id = :job_id;
