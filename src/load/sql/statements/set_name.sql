-- What a coin is called since some time.
INSERT INTO coin_name (coin_id, since, symbol, name) VALUES (:coin_id, :since, :symbol, :name)
ON CONFLICT (coin_id, since) DO UPDATE SET symbol = excluded.symbol, name = excluded.name;
