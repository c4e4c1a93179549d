-- The market as a job knew it at :at, its last poll then :slot: the newest row of each coin in the
-- polls since :since, the first of which was stored whole.
SELECT coin.id, name.symbol, name.name, coin.image, m.fetched_at{others}
FROM (SELECT coin_id, max(slot) AS slot FROM {history}
      WHERE job_id = :job_id AND slot >= :since AND slot <= :slot
        AND slot NOT IN (SELECT poll.slot FROM poll
                         WHERE poll.job_id = :job_id AND poll.loaded = 'rows'
                           AND poll.slot >= :since AND poll.slot <= :slot AND poll.finished > :at)
      GROUP BY coin_id) AS newest
     JOIN {history} AS m ON m.slot = newest.slot AND m.job_id = :job_id
                        AND m.coin_id = newest.coin_id
     JOIN coin ON coin.coin_id = newest.coin_id
     JOIN coin_name AS name ON {name_at}
WHERE {there_at};
