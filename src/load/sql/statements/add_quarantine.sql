INSERT INTO quarantine (stream, "offset", idx, coin, field, reason, value, stage)
VALUES (:stream, :offset, :idx, :coin, :field, :reason, :value, :stage);
