-- The view quality, newest slot first.
SELECT job.name AS job, flag.slot, coin.id AS coin, flag.rule, flag.detail
FROM quality_flag AS flag JOIN job USING (job_id) JOIN coin USING (coin_id)
ORDER BY flag.slot DESC, flag.job_id, flag.coin_id, flag.rule
LIMIT :limit;
