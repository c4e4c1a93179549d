-- Coins that a late poll saw last, though there are ok polls after it: absent since the first.
INSERT INTO absence
SELECT latest.job_id, latest.coin_id, next_slot, NULL
FROM latest,
     (SELECT min(slot) AS next_slot FROM poll
      WHERE job_id = :job_id AND slot > :slot AND loaded = 'rows' AND outcome = 'ok')
WHERE latest.job_id = :job_id AND latest.slot = :slot AND next_slot IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM absence AS a
                  WHERE a.job_id = :job_id AND a.coin_id = latest.coin_id
                    AND a.until_slot IS NULL);
