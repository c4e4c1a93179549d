-- What a coin was called at some time, and until when.
SELECT since, symbol, name,
       (SELECT min(since) FROM coin_name AS next
        WHERE next.coin_id = :coin_id AND next.since > :at) AS until
FROM coin_name WHERE coin_id = :coin_id AND since <= :at
ORDER BY since DESC LIMIT 1;
