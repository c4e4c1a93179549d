SELECT version, oldest_program, applied_by FROM schema_version ORDER BY version DESC LIMIT 1;
