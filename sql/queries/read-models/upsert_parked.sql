-- upsert_parked
-- $1 shop_id text
-- $2 position bigint[]
-- $3 group_position bigint[]
-- $4 keys text[]
-- $5 error text[]
-- $6 parked_at timestamptz[]
INSERT INTO counterfoil.parked (
    shop_id, position, group_position, keys, error, parked_at
)
SELECT
    s.shop_id, r.position, r.group_position, string_to_array(r.keys, E'\n'), r.error, r.parked_at
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT unnest($2::bigint[]) AS position, unnest($3::bigint[]) AS group_position, unnest($4::text[]) AS keys,
        unnest($5::text[]) AS error, unnest($6::timestamptz[]) AS parked_at
) AS r
WHERE s.shop_id = $1
ORDER BY r.position
ON CONFLICT (shop_id, position) DO UPDATE SET
    group_position = excluded.group_position, keys = excluded.keys, error = excluded.error,
    parked_at = excluded.parked_at;
