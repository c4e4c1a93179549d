-- The next polls to replay, behind one.
SELECT slot, last_offset, rows_new + rows_unchanged, loaded = 'rows' FROM poll
WHERE job_id = :job_id AND slot >= :after_slot AND slot < :until
  AND (slot > :after_slot OR last_offset > :after_offset)
  AND stream = :stream AND last_offset <= :below AND outcome IN ('ok', 'partial')
  AND slot >= coalesce((SELECT frozen_until FROM candle_upkeep WHERE job_id = :job_id), slot)
  AND (:is_forced OR transform_version IS DISTINCT FROM :version)
ORDER BY slot, stream, last_offset LIMIT :max;
