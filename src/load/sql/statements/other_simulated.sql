SELECT name FROM job WHERE is_simulated <> :is_simulated LIMIT 1;
