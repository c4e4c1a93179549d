INSERT INTO absence (job_id, coin_id, from_slot, until_slot)
VALUES (:job_id, :coin_id, :from_slot, :until_slot);
