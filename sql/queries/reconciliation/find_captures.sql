-- find_captures
-- How far the captures have come that the read models know.
-- $1 shop_id text
-- $2 ids text[]
SELECT k.id, p.state
FROM unnest($2::text[]) AS k (id)
CROSS JOIN LATERAL (
    SELECT t.state FROM counterfoil.payments AS t
    WHERE t.shop_id = $1 AND t.id_kind = 'capture' AND t.id = k.id OFFSET 0
) AS p;
