-- read_pruned
-- $1 shop_id text
SELECT pruned_through FROM counterfoil.outbox_retention WHERE shop_id = $1;
