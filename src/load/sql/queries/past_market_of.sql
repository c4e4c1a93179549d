-- The same of some coins, however old their rows are; not among polls whose rows were removed.
SELECT coin.id, name.symbol, name.name, coin.image, m.fetched_at{others}
FROM coin
     JOIN {history} AS m ON m.job_id = :job_id AND m.coin_id = coin.coin_id
          AND m.slot = (SELECT poll.slot FROM poll
                        WHERE poll.job_id = :job_id AND poll.loaded = 'rows'
                          AND poll.slot <= :slot AND poll.finished <= :at
                          AND poll.slot >= coalesce((SELECT rows_from FROM candle_upkeep
                                                     WHERE job_id = :job_id),
                                                    (SELECT min(slot) FROM poll
                                                     WHERE job_id = :job_id))
                          AND EXISTS (SELECT 1 FROM {history} AS h
                                      WHERE h.slot = poll.slot AND h.job_id = :job_id
                                        AND h.coin_id = coin.coin_id)
                        ORDER BY poll.slot DESC LIMIT 1)
     JOIN coin_name AS name ON {name_at}
WHERE coin.id IN ({ids}) AND coin.first_seen <= :at AND {there_at};
