DELETE FROM quarantine
WHERE stream = :stream AND "offset" BETWEEN :first_offset AND :last_offset;
