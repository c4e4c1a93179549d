-- Jobs of a currency that told a price of a coin by :at, each with the last of its polls that stored
-- one: polls behind it may have left the row out, as it had not changed.
-- Polls whose rows were removed are not looked through.
SELECT job_id, job, slot
FROM (SELECT job.job_id, job.name AS job,
             (SELECT poll.slot FROM poll
              WHERE poll.job_id = job.job_id AND poll.loaded = 'rows'
                AND poll.slot <= :at AND poll.finished <= :at
                AND poll.slot >= coalesce((SELECT rows_from FROM candle_upkeep
                                           WHERE candle_upkeep.job_id = job.job_id),
                                          (SELECT min(first.slot) FROM poll AS first
                                           WHERE first.job_id = job.job_id))
                AND EXISTS (SELECT 1 FROM {history} AS m
                            WHERE m.slot = poll.slot AND m.job_id = poll.job_id
                              AND m.coin_id = :coin_id AND m.current_price IS NOT NULL)
              ORDER BY poll.slot DESC LIMIT 1) AS slot
      FROM job WHERE endpoint = 'coins/markets' AND vs_currency = :vs_currency) AS known
WHERE slot IS NOT NULL
ORDER BY job_id;
