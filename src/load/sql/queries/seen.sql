-- How many of these coins are there, and when that was seen last of which it is longest ago.
SELECT count(*), min(seen) FROM (
{present}) AS present
WHERE vs_currency = :vs_currency AND id IN ({ids});
