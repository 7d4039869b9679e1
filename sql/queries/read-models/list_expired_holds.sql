-- list_expired_holds
-- Holds whose deadline has passed by the database's clock and that nothing live keeps. Those of parked orders wait with
-- them: their expiry would only be parked too, and take the places of others.
-- statement_timestamp(), for an index can be asked with it; clock_timestamp() would look at every hold.
-- $1 shop_id text
-- $2 row_limit bigint
SELECT t.order_id, t.held_until
FROM counterfoil.orders AS t
WHERE t.shop_id = $1 AND t.held_until <= statement_timestamp() AND NOT ('live' = ANY (t.flags))
    AND NOT EXISTS (
        SELECT FROM counterfoil.parked_keys AS p WHERE p.shop_id = $1 AND p.key = 'order:' || t.order_id
    )
ORDER BY t.held_until, t.order_id
LIMIT $2::bigint;
