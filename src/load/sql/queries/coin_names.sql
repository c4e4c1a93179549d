-- What a coin was called, and since when.
SELECT name.since, name.symbol, name.name
FROM coin JOIN coin_name AS name USING (coin_id)
WHERE coin.id = :id AND name.since <= :at
ORDER BY name.since;
