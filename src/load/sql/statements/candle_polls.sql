-- Which polls may have rows that came in [from, until).
SELECT slot, last_offset, rows_new, rows_unchanged FROM poll
WHERE job_id = :job_id AND loaded = 'rows' AND slot >= :first_slot AND slot <= :last_slot
  AND finished >= :from AND coalesce(started, slot) < :until;
