-- The polls that left rows out and were over in [from, until): the first and the last of their slots,
-- and the slot of the poll before. What the first ones equal is of that poll's time, or of later.
SELECT (SELECT max(before.slot) FROM poll AS before
        WHERE before.job_id = :job_id AND before.loaded = 'rows' AND before.slot < thrifty.first),
       thrifty.first, thrifty.last
FROM (SELECT min(slot) AS first, max(slot) AS last FROM poll
      WHERE job_id = :job_id AND loaded = 'rows' AND rows_unchanged > 0
        AND slot >= :first_slot AND slot <= :last_slot
        AND finished >= :from AND finished < :until) AS thrifty
WHERE thrifty.first IS NOT NULL;
