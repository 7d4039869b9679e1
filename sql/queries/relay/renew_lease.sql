-- renew_lease
-- $1 shop_id text
-- $2 consumer text
-- $3 epoch bigint
-- $4 lease_ms bigint
UPDATE counterfoil.checkpoints
SET lease_expires_at = statement_timestamp() + $4::bigint * interval '1 ms', heartbeat_at = statement_timestamp()
WHERE shop_id = $1 AND consumer = $2 AND epoch = $3 AND lease_holder IS NOT NULL;
