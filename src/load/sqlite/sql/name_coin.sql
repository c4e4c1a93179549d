UPDATE coin SET symbol = :symbol, name = :name, image = :image WHERE coin_id = :coin_id;
