-- release_lease
-- $1 shop_id text
-- $2 consumer text
-- $3 epoch bigint
UPDATE counterfoil.checkpoints
SET lease_holder = NULL, lease_expires_at = NULL
WHERE shop_id = $1 AND consumer = $2 AND epoch = $3;
