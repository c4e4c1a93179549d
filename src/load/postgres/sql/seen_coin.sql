-- Of many coins at once.
UPDATE coin
SET first_seen = least(coin.first_seen, each.seen),
    last_seen = greatest(coin.last_seen, each.last_seen)
FROM unnest(:coin_id, :seen, :last_seen) AS each (coin_id, seen, last_seen)
WHERE coin.coin_id = each.coin_id;
