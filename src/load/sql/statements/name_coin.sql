-- What a coin is called now; a table without logos leaves the logo as it is.
UPDATE coin
SET symbol = :symbol, name = :name, image = CASE WHEN :has_image THEN :image ELSE image END
WHERE coin_id = :coin_id;
