-- insert_attempts
-- $1 shop_id text
-- $2 sink text
-- $3 position bigint[]
-- $4 at timestamptz[]
-- $5 duration_ms integer[]
-- $6 status integer[]
-- $7 error text[]
INSERT INTO counterfoil.delivery_attempts (shop_id, sink, position, at, duration_ms, status, error)
SELECT s.shop_id, $2, r.position, r.at, r.duration_ms, r.status, r.error
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT unnest($3::bigint[]) AS position, unnest($4::timestamptz[]) AS at, unnest($5::integer[]) AS duration_ms,
        unnest($6::integer[]) AS status, unnest($7::text[]) AS error
) AS r
WHERE s.shop_id = $1
ON CONFLICT (shop_id, sink, position, at) DO NOTHING;
