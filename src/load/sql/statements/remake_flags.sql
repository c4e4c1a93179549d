DELETE FROM quality_flag WHERE slot BETWEEN :first_slot AND :last_slot AND job_id = :job_id;
