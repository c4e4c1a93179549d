UPDATE coin SET first_seen = min(first_seen, :seen), last_seen = max(last_seen, :last_seen)
WHERE coin_id = :coin_id;
