-- Polls that have rows, behind a slot: up to the first one behind another slot.
SELECT slot, finished, stream, first_offset, last_offset, rows_unchanged FROM poll
WHERE job_id = :job_id AND loaded = 'rows' AND slot > :first_slot
  AND slot <= coalesce((SELECT min(slot) FROM poll
                        WHERE job_id = :job_id AND loaded = 'rows' AND slot > :last_slot),
                       :last_slot)
ORDER BY slot LIMIT :max;
