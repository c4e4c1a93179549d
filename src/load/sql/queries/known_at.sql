-- When the market in a currency was seen last by :at: the end of the newest poll that has rows, of any job.
SELECT max(finished)
FROM (SELECT (SELECT finished FROM poll
              WHERE poll.job_id = job.job_id AND loaded = 'rows' AND slot <= :at
                AND poll.finished <= :at
              ORDER BY slot DESC LIMIT 1) AS finished
      FROM job
      WHERE endpoint = 'coins/markets' AND vs_currency = :vs_currency) AS newest;
