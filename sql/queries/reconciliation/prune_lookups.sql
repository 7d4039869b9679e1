-- prune_lookups
-- What was looked up so long ago is due no more; the longest hold is 90 days.
-- $1 shop_id text
DELETE FROM counterfoil.order_lookups
WHERE shop_id = $1 AND looked_up_at < statement_timestamp() - interval '100 days';
