-- Rows that poll :slot left out, from the coins' rows before it in its span (from :since on): of
-- every coin that has one, is not in the poll's own rows, not absent from it, not refused in it.
INSERT INTO {history} (slot, job_id, coin_id, {columns})
SELECT :slot, m.job_id, m.coin_id, :fetched_at{others}
FROM (SELECT coin_id, max(slot) AS slot FROM {history}
      WHERE job_id = :job_id AND slot >= :since AND slot < :slot GROUP BY coin_id) AS newest
     JOIN {history} AS m ON m.slot = newest.slot AND m.job_id = :job_id
                        AND m.coin_id = newest.coin_id
WHERE NOT EXISTS (SELECT 1 FROM {history} AS own
                  WHERE own.slot = :slot AND own.job_id = :job_id AND own.coin_id = m.coin_id)
  AND NOT EXISTS (SELECT 1 FROM absence AS a
                  WHERE a.job_id = :job_id AND a.coin_id = m.coin_id AND a.from_slot <= :slot
                    AND (a.until_slot IS NULL OR a.until_slot > :slot))
  AND NOT EXISTS (SELECT 1 FROM quarantine AS q JOIN coin ON coin.id = q.coin
                  WHERE q.stream = :stream AND q."offset" BETWEEN :first_offset AND :last_offset
                    AND coin.coin_id = m.coin_id AND q.reason <> 'duplicate coin'
                    AND (q.reason = 'duplicate key' OR q.field IN ('id', 'symbol', 'name')
                         OR q.field IS NULL AND q.reason <> 'bad text'));
