-- Coins that a job has or had, each with its absences that lasted beyond :since; one that has none
-- has a row without.
SELECT coin.id AS coin, a.from_slot, a.until_slot
FROM job JOIN {latest} AS l USING (job_id) JOIN coin ON coin.coin_id = l.coin_id
     LEFT JOIN absence AS a ON a.job_id = l.job_id AND a.coin_id = l.coin_id
                           AND coalesce(a.until_slot, :now) > :since
WHERE job.name = :job
ORDER BY coin.id, a.from_slot;
