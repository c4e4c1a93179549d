-- Before absences are opened again that seemed to end at this slot: later ones that go on with them.
DELETE FROM absence
WHERE job_id = :job_id AND from_slot > :slot
  AND EXISTS (SELECT 1 FROM absence AS ended
              WHERE ended.job_id = :job_id AND ended.coin_id = absence.coin_id
                AND ended.until_slot = :slot)
  AND NOT EXISTS (SELECT 1 FROM {history}
                  WHERE {history}.slot >= :slot AND {history}.slot < absence.from_slot
                    AND {history}.job_id = :job_id AND {history}.coin_id = absence.coin_id);
