-- move_checkpoint
-- The fence: nothing is changed for a relay that has lost its lease, or that thinks it stands elsewhere.
-- $1 shop_id text
-- $2 consumer text
-- $3 epoch bigint
-- $4 from bigint
-- $5 to bigint
-- $6 lease_ms bigint
UPDATE counterfoil.checkpoints
SET position = $5, lease_expires_at = statement_timestamp() + $6::bigint * interval '1 ms',
    heartbeat_at = statement_timestamp(), progressed_at = statement_timestamp()
WHERE shop_id = $1 AND consumer = $2 AND epoch = $3 AND position = $4;
