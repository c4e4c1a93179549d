-- Every name that any coin has had.
SELECT coin.id, name.symbol, name.name
FROM coin JOIN coin_name AS name USING (coin_id)
ORDER BY coin.id, name.since;
