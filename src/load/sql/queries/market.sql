-- :order is enum market_order. A number that is TEXT counts by its value, coins without one last.
SELECT * FROM (
{present}) AS present
WHERE vs_currency = :vs_currency
ORDER BY CASE :order WHEN 0 THEN -(market_cap + 0.0)
                     WHEN 1 THEN market_cap + 0.0
                     WHEN 2 THEN -(total_volume + 0.0)
                     WHEN 3 THEN total_volume + 0.0 END NULLS LAST,
         CASE :order WHEN 5 THEN id END DESC,
         id
LIMIT :limit OFFSET :skip;
