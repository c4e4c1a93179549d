-- A job's candles are made up to :until.
INSERT INTO candle_upkeep (job_id, built_until) VALUES (:job_id, :until)
ON CONFLICT (job_id) DO UPDATE SET built_until = excluded.built_until;
