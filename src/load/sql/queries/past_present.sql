-- Coins that a job has seen, and that it does not know to be absent at :slot.
SELECT coin.id FROM {latest} JOIN coin USING (coin_id)
WHERE job_id = :job_id AND coin.first_seen <= :at AND {there_at};
