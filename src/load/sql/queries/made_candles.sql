-- Up to when a job's candles are made; and since when polls were under way that were not whole at
-- :at (NULL: none): what is of them in candles was not known.
SELECT built_until,
       (SELECT min(CASE WHEN started < slot THEN started ELSE slot END) FROM poll
        WHERE job_id = :job_id AND loaded = 'rows' AND slot > :since AND slot <= :at
          AND finished > :at)
FROM candle_upkeep WHERE job_id = :job_id;
