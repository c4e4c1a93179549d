-- As find_coin, of all that a job has seen.
SELECT coin.coin_id, symbol, name, image, first_seen, last_seen,
       (SELECT max(since) FROM coin_name WHERE coin_name.coin_id = coin.coin_id) AS named_at, coin.id
FROM {latest} JOIN coin USING (coin_id)
WHERE job_id = :job_id;
