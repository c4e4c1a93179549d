-- An answer: as jsonb, or where that cannot hold it as text.
INSERT INTO raw (slot, job_id, page, fetched_at, http_status, "offset", body, body_text)
SELECT :slot, CAST(:job_id AS int), CAST(:page AS int), :fetched_at, CAST(:http_status AS int),
       :offset, made.body, CASE WHEN made.body IS NULL THEN :body END
FROM (SELECT body_as_jsonb(:body) AS body) AS made;
