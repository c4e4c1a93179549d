-- Up to when a job's candles are made, the slots of its first and its last poll with rows, and before
-- when the rows, and the candles of 5 minutes, were removed.
SELECT (SELECT built_until FROM candle_upkeep WHERE job_id = :job_id),
       (SELECT min(slot) FROM poll WHERE job_id = :job_id AND loaded = 'rows'),
       (SELECT max(slot) FROM poll WHERE job_id = :job_id AND loaded = 'rows'),
       (SELECT frozen_until FROM candle_upkeep WHERE job_id = :job_id),
       (SELECT fine_from FROM candle_upkeep WHERE job_id = :job_id);
