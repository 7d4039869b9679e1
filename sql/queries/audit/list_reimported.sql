-- list_reimported
-- $1 shop text
-- Those that are what they say: a row of another event excuses nothing.
SELECT r.position FROM counterfoil.reimported AS r
JOIN counterfoil.events AS e ON e.shop_id = r.shop_id AND e.position = r.position AND e.id = r.id
WHERE r.shop_id = $1 ORDER BY r.position
