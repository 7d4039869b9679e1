-- seed_pruned
-- $1 shop_id text
-- $2 position bigint
-- The outbox of a log is pruned through this position.
WITH pruned AS (
    DELETE FROM counterfoil.outbox WHERE shop_id = $1 AND position <= $2
)
INSERT INTO counterfoil.outbox_retention (shop_id, pruned_through, pruned_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (shop_id) DO UPDATE SET pruned_through = excluded.pruned_through;
