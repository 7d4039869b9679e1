-- scan_parked
-- Every row of a shop, to be compared with what replay makes.
-- $1 shop_id text
SELECT
    t.position, t.group_position, array_to_string(t.keys, E'\n') AS keys, t.error, t.parked_at
FROM counterfoil.parked AS t
WHERE t.shop_id = $1
ORDER BY t.position;
