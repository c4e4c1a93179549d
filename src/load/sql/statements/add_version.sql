INSERT INTO schema_version (version, oldest_program, applied_by, applied_at)
VALUES (:version, :oldest_program, :applied_by, :applied_at);
