-- check_checkpoint
-- No outcome has a cause behind the checkpoint: what is decided and how far it is decided were written together.
-- $1 shop_id text
-- $2 consumer text
SELECT e.position::text AS subject, format('its cause %s is behind the checkpoint %s', e.cause, c.position) AS detail
FROM counterfoil.checkpoints AS c
JOIN counterfoil.events AS e ON e.shop_id = $1 AND e.cause > c.position
WHERE c.shop_id = $1 AND c.consumer = $2
ORDER BY e.position;
