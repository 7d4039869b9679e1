-- find_known_events
-- $1 shop_id text
-- $2 event_keys text[]
SELECT k.event_key
FROM unnest($2::text[]) AS k (event_key)
CROSS JOIN LATERAL (
    SELECT FROM counterfoil.callbacks AS c WHERE c.shop_id = $1 AND c.event_key = k.event_key OFFSET 0
) AS c;
