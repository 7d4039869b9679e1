-- upsert_parked_groups
-- $1 shop_id text
-- $2 group_position bigint[]
-- $3 attempts bigint[]
-- $4 error text[]
-- $5 failed_at timestamptz[]
INSERT INTO counterfoil.parked_groups (
    shop_id, group_position, attempts, error, failed_at
)
SELECT
    s.shop_id, r.group_position, r.attempts, r.error, r.failed_at
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT unnest($2::bigint[]) AS group_position, unnest($3::bigint[]) AS attempts, unnest($4::text[]) AS error,
        unnest($5::timestamptz[]) AS failed_at
) AS r
WHERE s.shop_id = $1
ORDER BY r.group_position
ON CONFLICT (shop_id, group_position) DO UPDATE SET
    attempts = excluded.attempts, error = excluded.error, failed_at = excluded.failed_at;
