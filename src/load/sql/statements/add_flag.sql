INSERT INTO quality_flag (slot, job_id, coin_id, rule, detail)
VALUES (:slot, :job_id, :coin_id, :rule, :detail);
