-- Coins that came after the first list of all coins, the last ones first.
SELECT coin.id, name.symbol, name.name, coin.first_seen AS activated_at
FROM coin JOIN coin_name AS name ON {name_at}
WHERE coin.first_seen <= :at
  AND coin.first_seen > (SELECT min(poll.finished) FROM poll JOIN job USING (job_id)
                         WHERE endpoint = 'coins/list' AND selection = 'all' AND loaded = 'rows')
ORDER BY coin.first_seen DESC, coin.id
LIMIT :limit;
