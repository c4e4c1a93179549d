-- What there is to replay: due, made by this transform already, of others.
SELECT count(*) FILTER (WHERE stream = :stream AND last_offset <= :below
                          AND (:is_forced OR transform_version IS DISTINCT FROM :version)),
       count(*) FILTER (WHERE stream = :stream AND last_offset <= :below
                          AND NOT :is_forced AND transform_version IS NOT DISTINCT FROM :version),
       count(*) FILTER (WHERE loaded = 'rows' AND (stream <> :stream OR last_offset > :below))
FROM poll
WHERE job_id = :job_id AND slot >= :since AND slot < :until AND outcome IN ('ok', 'partial')
  AND slot >= coalesce((SELECT frozen_until FROM candle_upkeep WHERE job_id = :job_id), slot);
