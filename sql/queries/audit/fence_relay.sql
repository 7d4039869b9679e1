-- fence_relay
-- $1 shop text
-- $2 consumer text
-- Nobody leads from here on, and whoever did forgets what it has loaded: the row stays locked until the end of the
-- transaction.
UPDATE counterfoil.checkpoints
SET epoch = epoch + 1, lease_holder = NULL, lease_expires_at = NULL
WHERE shop_id = $1 AND consumer = $2
RETURNING position
