-- The first statement of a load: no row changes when the stream is elsewhere or another's.
UPDATE sink_offset SET "offset" = :new_offset, hash = :new_hash, updated_at = :now
WHERE stream = :stream AND "offset" = :old_offset AND hash = :old_hash AND epoch = :epoch;
