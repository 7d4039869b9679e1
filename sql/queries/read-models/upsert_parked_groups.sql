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
    $1, r.group_position, r.attempts, r.error, r.failed_at
FROM (
    SELECT unnest($2::bigint[]) AS group_position, unnest($3::bigint[]) AS attempts, unnest($4::text[]) AS error,
        unnest($5::timestamptz[]) AS failed_at
) AS r
ORDER BY r.group_position
ON CONFLICT (shop_id, group_position) DO UPDATE SET
    attempts = excluded.attempts, error = excluded.error, failed_at = excluded.failed_at;
