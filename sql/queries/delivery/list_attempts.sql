-- list_attempts
-- $1 shop_id text
-- $2 sink text
-- $3 position bigint
-- $4 limit bigint
SELECT at, duration_ms, status, error FROM counterfoil.delivery_attempts
WHERE shop_id = $1 AND sink = $2 AND position = $3
ORDER BY at DESC
LIMIT $4;
