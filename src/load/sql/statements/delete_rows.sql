DELETE FROM {history} WHERE slot = :slot AND job_id = :job_id;
