-- scan_payment_captures
-- Every row of a shop, to be compared with what replay makes.
-- $1 shop_id text
SELECT t.capture_id, t.id_kind, t.id
FROM counterfoil.payment_captures AS t
WHERE t.shop_id = $1
ORDER BY t.capture_id, t.id_kind, t.id;
