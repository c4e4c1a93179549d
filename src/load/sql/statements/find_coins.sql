-- As list_coins, of some ids.
SELECT coin_id, symbol, name, image, first_seen, last_seen,
       (SELECT max(since) FROM coin_name WHERE coin_name.coin_id = coin.coin_id) AS named_at, id
FROM coin WHERE id IN ({ids});
