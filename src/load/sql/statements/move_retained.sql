-- What was removed of a job: rows of slots before :from, candles of 5 minutes before :since;
-- polls of slots before :until get no rows any more.
UPDATE candle_upkeep SET rows_from = :from, fine_from = :since, frozen_until = :until
WHERE job_id = :job_id;
