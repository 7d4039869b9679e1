-- upsert_parked_keys
-- $1 shop_id text
-- $2 key text[]
-- $3 group_position bigint[]
INSERT INTO counterfoil.parked_keys (
    shop_id, key, group_position
)
SELECT
    s.shop_id, r.key, r.group_position
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT unnest($2::text[]) AS key, unnest($3::bigint[]) AS group_position
) AS r
WHERE s.shop_id = $1
ON CONFLICT (shop_id, key) DO UPDATE SET
    group_position = excluded.group_position;
