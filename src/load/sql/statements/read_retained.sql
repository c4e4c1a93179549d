-- What was removed of a job, how far its candles are made, and the slots of its last poll with rows and of
-- the first one that may have some: looked for behind what was removed, as polls stay for ever.
SELECT rows_from, fine_from, frozen_until, built_until,
       (SELECT max(slot) FROM poll WHERE job_id = :job_id AND loaded = 'rows'),
       CASE WHEN rows_from IS NULL
            THEN (SELECT min(slot) FROM poll WHERE job_id = :job_id AND loaded = 'rows')
            ELSE (SELECT min(slot) FROM poll
                  WHERE job_id = :job_id AND loaded = 'rows' AND slot >= rows_from) END
FROM candle_upkeep WHERE job_id = :job_id;
