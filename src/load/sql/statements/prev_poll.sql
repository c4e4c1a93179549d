-- The poll before a slot that has rows. At the end: did the engine refuse any of them; are rows of
-- its span, from :since on, still there?
SELECT slot, outcome, stream, last_offset, transform_version,
       EXISTS (SELECT 1 FROM quarantine AS q
               WHERE q.stream = poll.stream AND q."offset" = poll.last_offset AND q.idx IS NOT NULL),
       EXISTS (SELECT 1 FROM {history} AS h
               WHERE h.slot >= :since AND h.slot <= poll.slot AND h.job_id = :job_id)
FROM poll
WHERE job_id = :job_id AND loaded = 'rows' AND slot < :slot ORDER BY slot DESC LIMIT 1;
