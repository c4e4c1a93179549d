-- Polls of slots before have no rows any more, and get none.
SELECT frozen_until FROM candle_upkeep WHERE job_id = :job_id AND frozen_until IS NOT NULL;
