-- What a coin was called at :at; before anybody knew, as it was called first.
name.coin_id = coin.coin_id
AND name.since = coalesce((SELECT max(n.since) FROM coin_name AS n
                           WHERE n.coin_id = coin.coin_id AND n.since <= :at),
                          (SELECT min(n.since) FROM coin_name AS n WHERE n.coin_id = coin.coin_id))
