-- Every coin that was ever seen.
SELECT id, symbol, name FROM coin ORDER BY id;
