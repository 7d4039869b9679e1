-- find_transmissions
-- $1 shop text
-- $2 transmission ids text[]
SELECT t.transmission_id, t.body_mac, c.position
FROM unnest($2::text[]) AS asked (transmission_id)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.transmissions AS t
    WHERE t.shop_id = $1 AND t.transmission_id = asked.transmission_id OFFSET 0
) AS t
CROSS JOIN LATERAL (
    SELECT c.position FROM counterfoil.callbacks AS c WHERE c.shop_id = $1 AND c.event_key = t.event_key OFFSET 0
) AS c
