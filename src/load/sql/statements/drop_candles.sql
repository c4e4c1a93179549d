DELETE FROM candle WHERE step = :step AND start = :from AND job_id = :job_id;
