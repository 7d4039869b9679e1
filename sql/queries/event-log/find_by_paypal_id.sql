-- find_by_paypal_id
-- The callback that PayPal knows by this id: of the event, or of a delivery of it.
-- $1 shop text
-- $2 id text
SELECT c.position FROM counterfoil.callbacks AS c WHERE c.shop_id = $1 AND c.event_key = $2
UNION
SELECT c.position
FROM counterfoil.transmissions AS t
CROSS JOIN LATERAL (
    SELECT k.position FROM counterfoil.callbacks AS k WHERE k.shop_id = $1 AND k.event_key = t.event_key OFFSET 0
) AS c
WHERE t.shop_id = $1 AND t.transmission_id = $2
