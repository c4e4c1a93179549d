-- The jobs that collect something else than markets.
SELECT name FROM job WHERE endpoint = :endpoint AND selection = :selection;
