INSERT INTO coin_name (coin_id, since, symbol, name)
VALUES (:coin_id, :since, :symbol, :name);
