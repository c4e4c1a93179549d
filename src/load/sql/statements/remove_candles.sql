DELETE FROM candle WHERE step = :step AND job_id = :job_id AND start >= :from AND start < :until;
