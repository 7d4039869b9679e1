-- reset_consumer
-- $1 shop_id text
-- $2 name text
-- $3 epoch integer
-- $4 position bigint
UPDATE counterfoil.consumers SET epoch = $3, position = $4, moved_at = statement_timestamp(), lost_at = NULL
WHERE shop_id = $1 AND name = $2
RETURNING name;
