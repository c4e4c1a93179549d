-- Before the rows of a partial poll go: later absences of coins that only they had shown by then.
-- The newest row before is looked for, which is near: as NOT EXISTS, PostgreSQL would look through
-- all polls from the first one on, for each absence.
DELETE FROM absence
WHERE job_id = :job_id AND from_slot > :slot
  AND EXISTS (SELECT 1 FROM {history} AS own
              WHERE own.slot = :slot AND own.job_id = :job_id AND own.coin_id = absence.coin_id)
  AND NOT EXISTS (SELECT 1 FROM {history} AS h
                  WHERE h.slot > :slot AND h.slot < absence.from_slot AND h.job_id = :job_id
                    AND h.coin_id = absence.coin_id)
  AND (SELECT 1 FROM poll
       WHERE poll.job_id = :job_id AND poll.loaded = 'rows' AND poll.slot < :slot
         AND EXISTS (SELECT 1 FROM {history} AS h
                     WHERE h.slot = poll.slot AND h.job_id = :job_id
                       AND h.coin_id = absence.coin_id)
       ORDER BY poll.slot DESC LIMIT 1) IS NULL;
