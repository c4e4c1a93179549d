-- Of some coins; the reader sorts them.
SELECT * FROM (
{present}) AS present
WHERE vs_currency = :vs_currency AND id IN ({ids});
