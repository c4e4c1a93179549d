-- The coins that a list has.
SELECT coin.id, coin.symbol, coin.name
FROM latest_listing AS last JOIN coin ON coin.coin_id = last.coin_id
WHERE last.job_id = :job_id AND {there_at}
ORDER BY coin.id;
