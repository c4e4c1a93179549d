-- Polls with rows, of a time: where they are from, and whether anything of them was refused.
SELECT slot, stream, last_offset, outcome,
       EXISTS (SELECT 1 FROM quarantine AS q
               WHERE q.stream = poll.stream
                 AND q."offset" BETWEEN poll.first_offset AND poll.last_offset)
FROM poll
WHERE job_id = :job_id AND loaded = 'rows' AND slot BETWEEN :first_slot AND :last_slot
ORDER BY slot LIMIT :max;
