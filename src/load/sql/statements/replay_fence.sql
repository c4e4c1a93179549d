-- The first statement of a replay: no row changes when the stream is another's.
UPDATE sink_offset SET updated_at = :now WHERE stream = :stream AND epoch = :epoch;
