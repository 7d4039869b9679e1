-- check_money
-- Captured and refunded are the sums over an order's payments; what is due follows from them.
-- $1 shop_id text
WITH counted AS (
    SELECT p.order_id, p.id, p.amount_minor
    FROM counterfoil.payments AS p
    WHERE p.shop_id = $1 AND p.kind IN ('capture', 'tender') AND p.state = 'captured'
        AND p.standing = 'matched' AND p.order_id IS NOT NULL
), captured AS (
    SELECT c.order_id, sum(c.amount_minor) AS captured FROM counted AS c GROUP BY c.order_id
), refunded AS (
    SELECT b.order_id, b.currency, sum(b.amount_minor) AS refunded,
        coalesce(sum(b.amount_minor) FILTER (WHERE b.kind = 'reversal'), 0) AS reversed
    FROM counterfoil.payments AS b
    WHERE b.shop_id = $1 AND b.kind IN ('refund', 'reversal')
        AND EXISTS (SELECT FROM counted AS c WHERE c.order_id = b.order_id AND c.id = ANY (b.captures))
    GROUP BY b.order_id, b.currency
), figures AS (
    SELECT o.order_id, o.captured_minor, o.refunded_minor, o.reversed_minor, o.refund_due_minor,
        coalesce(c.captured, 0) AS captured, coalesce(r.refunded, 0) AS refunded,
        coalesce(r.reversed, 0) AS reversed,
        CASE WHEN o.flags && ARRAY['cancelled', 'unfulfillable', 'closed'] THEN 0 ELSE o.total_minor END AS owed
    FROM counterfoil.orders AS o
    LEFT JOIN captured AS c ON c.order_id = o.order_id
    LEFT JOIN refunded AS r ON r.order_id = o.order_id AND r.currency = o.currency
    WHERE o.shop_id = $1
)
SELECT f.order_id AS subject,
    format('captured %s of %s, refunded %s of %s, reversed %s of %s, due %s',
        f.captured_minor, f.captured, f.refunded_minor, f.refunded, f.reversed_minor, f.reversed,
        f.refund_due_minor) AS detail
FROM figures AS f
WHERE f.captured_minor <> f.captured OR f.refunded_minor <> f.refunded OR f.reversed_minor <> f.reversed
    OR f.refund_due_minor <> greatest(0, f.captured - f.refunded - f.owed)
ORDER BY f.order_id;
