-- read_sample
-- $1 shop_id text
-- $2 key text
-- $3 hold_s double precision
-- The events of one order, from which as many as are wanted are made.
SELECT e.position, e.at, e.cause, e.id::text AS id, e.entry, o.payload,
    to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at_text,
    to_char((e.at + make_interval(secs => $3)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS held_text
FROM counterfoil.events AS e
JOIN counterfoil.outbox AS o ON o.shop_id = e.shop_id AND o.position = e.position
WHERE e.shop_id = $1 AND e.key = $2
ORDER BY e.position;
