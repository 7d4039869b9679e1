-- put_consumer
-- Moves a consumer's cursor from where it was: of two that try, one finds it elsewhere.
-- $1 shop_id text
-- $2 name text
-- $3 epoch integer
-- $4 position bigint
-- $5 was epoch integer
-- $6 was position bigint
UPDATE counterfoil.consumers
SET epoch = $3, position = $4, moved_at = statement_timestamp(), lost_at = NULL
WHERE shop_id = $1 AND name = $2 AND epoch = $5 AND position = $6;
