-- move_cursor
-- Only forwards, and only for whoever leads: the lease is the fence.
-- $1 shop_id text
-- $2 consumer text
-- $3 epoch bigint
-- $4 through timestamptz
-- $5 listed bigint
-- $6 appended bigint
INSERT INTO counterfoil.reconciliation AS r (shop_id, listed_through, listed, appended)
SELECT c.shop_id, $4, $5, $6
FROM counterfoil.checkpoints AS c
WHERE c.shop_id = $1 AND c.consumer = $2 AND c.epoch = $3
ON CONFLICT (shop_id) DO UPDATE
SET listed_through = greatest(r.listed_through, excluded.listed_through),
    listed = r.listed + excluded.listed, appended = r.appended + excluded.appended;
