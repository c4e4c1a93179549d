-- Jobs of an endpoint and a currency, each with the last of its polls that was whole at :at.
-- told: when the last ok one began, which had all coins that are present.
SELECT job_id, selection, slot, told
FROM (SELECT job.job_id, job.selection,
             (SELECT poll.slot FROM poll
              WHERE poll.job_id = job.job_id AND poll.loaded = 'rows'
                AND poll.slot <= :at AND poll.finished <= :at
              ORDER BY poll.slot DESC LIMIT 1) AS slot,
             (SELECT coalesce(poll.started, poll.slot) FROM poll
              WHERE poll.job_id = job.job_id AND poll.loaded = 'rows' AND poll.outcome = 'ok'
                AND poll.slot <= :at AND poll.finished <= :at
              ORDER BY poll.slot DESC LIMIT 1) AS told
      FROM job WHERE endpoint = :endpoint AND vs_currency = :vs_currency) AS known
WHERE slot IS NOT NULL
ORDER BY job_id;
