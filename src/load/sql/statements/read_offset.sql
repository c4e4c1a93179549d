SELECT "offset", epoch FROM sink_offset WHERE stream = :stream;
