-- Jobs whose rows make candles.
SELECT job_id FROM job WHERE endpoint = 'coins/markets' ORDER BY job_id;
