-- Every job, with its newest poll.
SELECT job.name AS name, job.endpoint AS endpoint, job.vs_currency AS vs_currency, poll.slot AS slot,
       poll.outcome AS outcome, poll.finished AS finished, poll.next_due AS next_due
FROM job LEFT JOIN poll ON poll.job_id = job.job_id
  AND poll.slot = (SELECT newest.slot FROM poll AS newest WHERE newest.job_id = job.job_id ORDER BY newest.slot DESC LIMIT 1)
ORDER BY job.name, poll.last_offset DESC;
