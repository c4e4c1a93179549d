-- Up to when a job's candles are made, and the slots of its first and its last poll with rows.
SELECT (SELECT built_until FROM candle_upkeep WHERE job_id = :job_id),
       (SELECT min(slot) FROM poll WHERE job_id = :job_id AND loaded = 'rows'),
       (SELECT max(slot) FROM poll WHERE job_id = :job_id AND loaded = 'rows');
