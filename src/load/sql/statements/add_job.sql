INSERT INTO job (name, endpoint, vs_currency, selection, is_simulated)
VALUES (:name, :endpoint, :vs_currency, :selection, :is_simulated)
RETURNING job_id;
