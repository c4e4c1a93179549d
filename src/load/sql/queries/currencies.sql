-- Currencies in which there are rows of coins/markets by :at.
SELECT DISTINCT vs_currency FROM job
WHERE endpoint = 'coins/markets'
  AND EXISTS (SELECT 1 FROM poll
              WHERE poll.job_id = job.job_id AND poll.loaded = 'rows' AND poll.slot <= :at
                AND poll.finished <= :at AND poll.rows_new + poll.rows_unchanged > 0)
ORDER BY vs_currency;
