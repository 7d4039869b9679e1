-- record_progress
-- All that a sink's leader has to tell, behind its fence: how far it is, what it sets aside, and what it took up again.
-- Nothing is changed for one that has lost its lease, or that thinks it stands elsewhere.
-- $1 shop_id text
-- $2 sink text
-- $3 epoch bigint
-- $4 from bigint
-- $5 to bigint
-- $6 lease_ms bigint
-- $7 delivered positions bigint[]
-- undelivered: $8 position bigint[], $9 key text[], $10 type text[], $11 state text[], $12 attempts integer[], $13 in_ms bigint[], $14 error text[]
WITH moved AS (
    UPDATE counterfoil.checkpoints
    SET position = $5, lease_expires_at = statement_timestamp() + $6::bigint * interval '1 ms',
        heartbeat_at = statement_timestamp(),
        progressed_at = CASE WHEN $5 > $4 THEN statement_timestamp() ELSE progressed_at END
    WHERE shop_id = $1 AND consumer = 'sink:' || $2 AND epoch = $3 AND position = $4
    RETURNING shop_id
), delivered AS (
    DELETE FROM counterfoil.undelivered AS u USING moved AS m
    WHERE u.shop_id = $1 AND u.shop_id = m.shop_id AND u.sink = $2 AND u.position = ANY ($7)
), aside AS (
    INSERT INTO counterfoil.undelivered (shop_id, sink, position, key, type, state, attempts, next_at, error)
    SELECT s.shop_id, $2, r.position, r.key, r.type, r.state, r.attempts,
        statement_timestamp() + r.in_ms * interval '1 ms', r.error
    FROM counterfoil.shops AS s
    JOIN moved AS m ON m.shop_id = s.shop_id
    CROSS JOIN (
        SELECT unnest($8::bigint[]) AS position, unnest($9::text[]) AS key, unnest($10::text[]) AS type,
            unnest($11::text[]) AS state, unnest($12::integer[]) AS attempts, unnest($13::bigint[]) AS in_ms,
            unnest($14::text[]) AS error
    ) AS r
    WHERE s.shop_id = $1
    ON CONFLICT (shop_id, sink, position) DO UPDATE
    SET state = excluded.state, attempts = excluded.attempts, next_at = excluded.next_at, error = excluded.error
)
SELECT count(*) AS moved, statement_timestamp() AS now FROM moved;
