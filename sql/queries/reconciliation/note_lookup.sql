-- note_lookup
-- $1 shop_id text
-- $2 order_id text
INSERT INTO counterfoil.order_lookups (shop_id, order_id, looked_up_at) VALUES ($1, $2, statement_timestamp())
ON CONFLICT (shop_id, order_id) DO UPDATE SET looked_up_at = excluded.looked_up_at;
