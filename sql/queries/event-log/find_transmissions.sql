-- find_transmissions
-- $1 shop text
-- $2 transmission ids text[]
SELECT t.transmission_id, t.body_mac, c.position
FROM counterfoil.transmissions t
JOIN counterfoil.callbacks c ON c.shop_id = t.shop_id AND c.event_key = t.event_key
WHERE t.shop_id = $1 AND t.transmission_id = ANY ($2)
