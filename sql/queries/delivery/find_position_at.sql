-- find_position_at
-- The last event before an instant, by halving: time never runs backwards in a log, and no index is kept for it.
-- $1 shop_id text
-- $2 at timestamptz
WITH RECURSIVE halved AS (
    SELECT -1::bigint AS low, coalesce((
        SELECT position FROM counterfoil.events WHERE shop_id = $1 ORDER BY position DESC LIMIT 1
    ), -1) AS high
    UNION ALL
    SELECT CASE WHEN e.at < $2 THEN e.position ELSE h.low END, CASE WHEN e.at < $2 THEN h.high ELSE e.position - 1 END
    FROM halved AS h
    CROSS JOIN LATERAL (
        SELECT e.position, e.at FROM counterfoil.events AS e
        WHERE e.shop_id = $1 AND e.position >= (h.low + h.high + 1) / 2 ORDER BY e.position LIMIT 1
    ) AS e
    WHERE h.low < h.high
)
SELECT low AS position FROM halved WHERE low = high;
