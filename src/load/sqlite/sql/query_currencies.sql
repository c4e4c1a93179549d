SELECT DISTINCT vs_currency FROM job
WHERE EXISTS (SELECT 1 FROM latest WHERE latest.job_id = job.job_id)
ORDER BY vs_currency;
