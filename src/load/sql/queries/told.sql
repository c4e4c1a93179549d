-- Jobs, and when the last ok poll of each began.
SELECT told.job_id, told.vs_currency,
       coalesce((SELECT coalesce(poll.started, poll.slot) FROM poll
                 WHERE poll.job_id = told.job_id AND poll.loaded = 'rows' AND poll.outcome = 'ok'
                 ORDER BY poll.slot DESC LIMIT 1),
                (SELECT min(poll.slot) FROM poll WHERE poll.job_id = told.job_id)) AS told
FROM job AS told WHERE told.endpoint = 'coins/markets'
