-- list_expired_holds
-- Holds whose deadline has passed by the database's clock and that nothing live keeps.
-- $1 shop_id text
-- $2 row_limit bigint
SELECT t.order_id, t.held_until
FROM counterfoil.orders AS t
WHERE t.shop_id = $1 AND t.held_until <= clock_timestamp() AND NOT ('live' = ANY (t.flags))
ORDER BY t.held_until, t.order_id
LIMIT $2::bigint;
