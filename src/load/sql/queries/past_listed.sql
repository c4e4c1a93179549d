-- The coins that a list had, its last poll then at :slot: those in its polls since :since, the first
-- of which was stored whole, and those whose rows were refused since, that did not leave it.
SELECT coin.id, name.symbol, name.name
FROM (SELECT coin_id FROM listing WHERE job_id = :job_id AND slot >= :since AND slot <= :slot
      UNION
      SELECT last.coin_id FROM latest_listing AS last JOIN coin ON coin.coin_id = last.coin_id
      WHERE last.job_id = :job_id AND coin.first_seen <= :at AND {there_at}
        AND last.coin_id NOT IN (SELECT coin_id FROM listing
                                 WHERE job_id = :job_id AND slot >= :since AND slot <= :slot)
        AND EXISTS (SELECT 1 FROM poll
                    WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot < :since
                      AND EXISTS (SELECT 1 FROM listing AS old
                                  WHERE old.slot = poll.slot AND old.job_id = :job_id
                                    AND old.coin_id = last.coin_id))) AS seen
     JOIN coin ON coin.coin_id = seen.coin_id
     JOIN coin_name AS name ON {name_at}
WHERE {there_at}
ORDER BY coin.id;
