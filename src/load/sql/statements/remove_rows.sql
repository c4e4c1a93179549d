DELETE FROM market WHERE job_id = :job_id AND slot >= :from AND slot < :until;
