-- check_parked
-- Every parked fact has its group, every group its facts, and every key leads into the group of a fact that names it.
-- $1 shop_id text
SELECT p.position::text AS subject, 'parked without a group' AS detail
FROM counterfoil.parked AS p
WHERE p.shop_id = $1 AND NOT EXISTS (
    SELECT FROM counterfoil.parked_groups AS g WHERE g.shop_id = $1 AND g.group_position = p.group_position)
UNION ALL
SELECT g.group_position::text, 'a group without facts'
FROM counterfoil.parked_groups AS g
WHERE g.shop_id = $1 AND NOT EXISTS (
    SELECT FROM counterfoil.parked AS p WHERE p.shop_id = $1 AND p.group_position = g.group_position)
UNION ALL
SELECT coalesce(k.key, n.key), 'a key without a fact, or a fact without its key'
FROM (SELECT key, group_position FROM counterfoil.parked_keys WHERE shop_id = $1) AS k
FULL JOIN (
    SELECT DISTINCT key, p.group_position
    FROM counterfoil.parked AS p CROSS JOIN LATERAL unnest(p.keys) AS key
    WHERE p.shop_id = $1
) AS n ON n.key = k.key AND n.group_position = k.group_position
WHERE k.key IS NULL OR n.key IS NULL;
