-- read_facts
-- Everything behind a position, of which only the facts' entries are read: the rest tells how far the log was seen.
-- $1 shop_id text
-- $2 after bigint
-- $3 row_limit bigint
SELECT e.position, CASE WHEN e.kind = 'fact' THEN e.entry END AS entry, e.key, e.at, e.id, e.traceparent
FROM counterfoil.events AS e
WHERE e.shop_id = $1 AND e.position > $2
ORDER BY e.position
LIMIT $3::bigint;
