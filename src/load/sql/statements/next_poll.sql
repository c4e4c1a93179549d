-- The first poll after a slot that has rows, where it left rows out.
SELECT slot, finished, stream, first_offset, last_offset
FROM (SELECT * FROM poll WHERE job_id = :job_id AND loaded = 'rows' AND slot > :slot
      ORDER BY slot LIMIT 1) AS next
WHERE rows_unchanged > 0;
