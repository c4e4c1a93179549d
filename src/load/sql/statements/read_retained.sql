-- What was removed of a job, how far its candles are made, and the slots of its last poll with rows and
-- of the first one that may have some.
SELECT rows_from, fine_from, frozen_until, built_until,
       (SELECT max(slot) FROM poll WHERE job_id = :job_id AND loaded = 'rows'),
       (SELECT min(slot) FROM poll WHERE job_id = :job_id AND loaded = 'rows'
        AND (rows_from IS NULL OR slot >= rows_from))
FROM candle_upkeep WHERE job_id = :job_id;
