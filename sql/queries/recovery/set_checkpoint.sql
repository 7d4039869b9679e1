-- set_checkpoint
-- Raises the epoch as well: whoever leads has read what was there before.
-- $1 shop text
-- $2 consumer text
-- $3 position bigint
UPDATE counterfoil.checkpoints
SET position = $3, epoch = epoch + 1, lease_holder = NULL, lease_expires_at = NULL, progressed_at = statement_timestamp()
WHERE shop_id = $1 AND consumer = $2
