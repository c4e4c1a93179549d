-- What is known of a coin at :at.
SELECT coin.id, name.symbol, name.name, coin.image, coin.first_seen, coin.last_seen
FROM coin JOIN coin_name AS name ON {name_at}
WHERE coin.id = :id AND coin.first_seen <= :at;
