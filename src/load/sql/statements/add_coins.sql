INSERT INTO coin (id, symbol, name, image, first_seen, last_seen)
VALUES (:id, :symbol, :name, :image, :seen, :seen);
