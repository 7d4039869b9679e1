-- load_parked_keys
-- All of a shop's: there are few, and normally none.
-- $1 shop_id text
SELECT t.key, t.group_position
FROM counterfoil.parked_keys AS t
WHERE t.shop_id = $1
ORDER BY t.key;
