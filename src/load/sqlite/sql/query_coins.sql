SELECT id, symbol, name FROM coin ORDER BY id;
