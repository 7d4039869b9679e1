-- upsert_parked_keys
-- $1 shop_id text
-- $2 key text[]
-- $3 group_position bigint[]
INSERT INTO counterfoil.parked_keys (
    shop_id, key, group_position
)
SELECT
    $1, r.key, r.group_position
FROM unnest(
    $2::text[], $3::bigint[]
) AS r (
    key, group_position
)
ORDER BY r.key COLLATE "C"
ON CONFLICT (shop_id, key) DO UPDATE SET
    group_position = excluded.group_position;
