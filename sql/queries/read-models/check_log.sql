-- check_log
-- Positions are dense from 0, time never runs backwards, each event has its outbox row above what was pruned, outcomes
-- stand in the order of their causes and are numbered without gaps.
-- $1 shop_id text
WITH kept AS (
    SELECT coalesce(max(r.pruned_through), -1) AS from_behind
    FROM counterfoil.outbox_retention AS r WHERE r.shop_id = $1
), log AS (
    SELECT e.position, e.at, e.id, e.type, o.id AS outbox_id, o.type AS outbox_type,
        row_number() OVER (ORDER BY e.position) - 1 AS dense,
        lag(e.at) OVER (ORDER BY e.position) AS at_before
    FROM counterfoil.events AS e
    LEFT JOIN counterfoil.outbox AS o ON o.shop_id = $1 AND o.position = e.position
    WHERE e.shop_id = $1
), outcomes AS (
    SELECT e.position, e.cause, (e.entry::jsonb ->> 'n')::bigint AS n,
        row_number() OVER (PARTITION BY e.cause ORDER BY e.position) - 1 AS dense,
        lag(e.cause) OVER (ORDER BY e.position) AS cause_before,
        (SELECT f.kind FROM counterfoil.events AS f WHERE f.shop_id = $1 AND f.position = e.cause) AS cause_kind
    FROM counterfoil.events AS e
    WHERE e.shop_id = $1 AND e.kind = 'outcome'
)
SELECT l.position::text AS subject, 'a gap, an older time, or no outbox row' AS detail
FROM log AS l, kept AS k
WHERE l.position <> l.dense OR l.at < l.at_before OR l.outbox_type <> l.type
    OR (l.position > k.from_behind AND l.outbox_id IS DISTINCT FROM l.id)
UNION ALL
SELECT o.position::text, format('an outcome out of order: cause %s (%s) behind %s, n %s', o.cause,
    o.cause_kind, o.cause_before, o.n)
FROM outcomes AS o
WHERE o.cause < o.cause_before OR o.n <> o.dense OR o.cause >= o.position
    OR o.cause_kind IS DISTINCT FROM 'fact';
