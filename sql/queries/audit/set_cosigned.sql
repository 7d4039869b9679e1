-- set_cosigned
-- The same checkpoint with more signatures below it.
-- $1 shop_id text
-- $2 size bigint
-- $3 root bytea
-- $4 epoch integer
-- $5 note text
UPDATE counterfoil.tree_checkpoints SET note = $5 WHERE shop_id = $1 AND size = $2 AND root = $3 AND epoch = $4
