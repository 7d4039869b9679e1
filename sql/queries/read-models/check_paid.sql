-- check_paid
-- An order is paid if, and only if, it was settled exactly once, or was imported as paid.
-- $1 shop_id text
WITH settled AS (
    SELECT substr(e.key, length('order:') + 1) AS order_id, count(*) AS times
    FROM counterfoil.events AS e
    WHERE e.shop_id = $1 AND e.kind = 'outcome'
        AND (e.type = 'order.paid'
            OR (e.type = 'order.imported' AND e.entry::jsonb #> '{data,order,paid_at}' IS NOT NULL))
    GROUP BY e.key
)
SELECT coalesce(o.order_id, s.order_id) AS subject,
    format('state %s, settled %s times', o.state, coalesce(s.times, 0)) AS detail
FROM (SELECT * FROM counterfoil.orders WHERE shop_id = $1) AS o
FULL JOIN settled AS s ON s.order_id = o.order_id
WHERE coalesce(s.times, 0) <> CASE WHEN o.paid_at IS NULL THEN 0 ELSE 1 END
    OR (o.state = 'paid') <> (o.paid_at IS NOT NULL)
ORDER BY 1;
