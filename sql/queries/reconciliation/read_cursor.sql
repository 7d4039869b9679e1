-- read_cursor
-- Up to when PayPal's events were listed, since when the shop is there, and the time now.
-- $1 shop_id text
SELECT r.listed_through, s.created_at, statement_timestamp() AS now
FROM counterfoil.shops AS s
LEFT JOIN counterfoil.reconciliation AS r ON r.shop_id = s.shop_id
WHERE s.shop_id = $1;
