-- upsert_parked_keys
-- $1 shop_id text
-- $2 key text[]
-- $3 group_position bigint[]
INSERT INTO counterfoil.parked_keys (
    shop_id, key, group_position
)
SELECT
    $1, r.key, r.group_position
FROM (SELECT unnest($2::text[]) AS key, unnest($3::bigint[]) AS group_position) AS r
ON CONFLICT (shop_id, key) DO UPDATE SET
    group_position = excluded.group_position;
