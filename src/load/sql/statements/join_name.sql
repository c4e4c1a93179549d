-- A name that says nothing new: the one before is the same.
DELETE FROM coin_name
WHERE coin_id = :coin_id AND since = :since
  AND (symbol, name) = (SELECT symbol, name FROM coin_name AS before
                        WHERE before.coin_id = :coin_id AND before.since < :since
                        ORDER BY before.since DESC LIMIT 1);
