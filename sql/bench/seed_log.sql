-- seed_log
-- A log that is there already: a fact and its outcome for each order, of the size that they have.
-- $1 shop_id text
-- $2 first bigint
-- $3 events bigint
-- $4 payload text
-- $5 keys bigint
WITH n AS (
    SELECT p AS position, p % 2 = 1 AS is_outcome, 'K-' || ((p / 2) % $5) AS name,
        CASE WHEN p % 2 = 1 THEN '{"data":' || $4 || '}' ELSE '{}' END AS entry
    FROM generate_series($2::bigint, $2 + $3 - 1) AS p
), appended AS (
    INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, cause, entry, leaf_hash)
    SELECT $1, position, md5('e' || position)::uuid, CASE WHEN is_outcome THEN 'outcome' ELSE 'fact' END,
        CASE WHEN is_outcome THEN 'order.paid' ELSE 'payment.captured' END, 'order:' || name,
        timestamptz '2026-01-01' + position * interval '1 ms', CASE WHEN is_outcome THEN position - 1 END,
        entry, sha256('\x00'::bytea || convert_to(entry, 'UTF8'))
    FROM n
)
INSERT INTO counterfoil.outbox (shop_id, position, id, aggregatetype, aggregateid, type, payload)
SELECT $1, position, md5('e' || position)::uuid, CASE WHEN is_outcome THEN 'order' ELSE 'callback' END, name,
    CASE WHEN is_outcome THEN 'order.paid' ELSE 'payment.captured' END, CASE WHEN is_outcome THEN $4 ELSE '{}' END
FROM n;
