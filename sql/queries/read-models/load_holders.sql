-- load_holders
-- The orders that hold an article.
-- $1 shop_id text
-- $2 sku text[]
SELECT k.sku, t.order_id
FROM unnest($2::text[]) AS k (sku)
JOIN counterfoil.orders AS t ON t.shop_id = $1 AND t.held_until IS NOT NULL
WHERE t.lines @> jsonb_build_array(jsonb_build_object('sku', k.sku));
