-- prune_attempts
-- $1 shop_id text
-- $2 through bigint
-- $3 limit bigint
DELETE FROM counterfoil.delivery_attempts AS a
USING (
    SELECT sink, position, at FROM counterfoil.delivery_attempts
    WHERE shop_id = $1 AND position <= $2 LIMIT $3
) AS old
WHERE a.shop_id = $1 AND a.sink = old.sink AND a.position = old.position AND a.at = old.at;
