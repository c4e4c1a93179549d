-- Every coin that was seen by :at.
SELECT coin.id, name.symbol, name.name
FROM coin JOIN coin_name AS name ON {name_at}
WHERE coin.first_seen <= :at
ORDER BY coin.id;
