-- Take a stream over: whoever had it finds another epoch and stops.
INSERT INTO sink_offset (stream, job_id, "offset", hash, epoch, updated_at)
VALUES (:stream, :job_id, 0, 0, 1, :now)
ON CONFLICT (stream) DO UPDATE SET epoch = sink_offset.epoch + 1, updated_at = excluded.updated_at
RETURNING "offset", hash, epoch;
