-- find_event
-- Where an event stands. One whose outbox row is pruned is looked for in the whole log.
-- $1 shop_id text
-- $2 id uuid
SELECT coalesce(
    (SELECT o.position FROM counterfoil.outbox AS o WHERE o.id = $2 AND o.shop_id = $1),
    (SELECT e.position FROM counterfoil.events AS e WHERE e.shop_id = $1 AND e.id = $2 LIMIT 1)
) AS position;
