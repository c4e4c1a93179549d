SELECT job_id, endpoint, vs_currency, selection FROM job WHERE name = :name;
