-- Before polls are made anew, all that have rows in their time.
DELETE FROM {history} WHERE slot BETWEEN :first_slot AND :last_slot AND job_id = :job_id;
