DELETE FROM raw WHERE slot = :slot AND job_id = :job_id;
