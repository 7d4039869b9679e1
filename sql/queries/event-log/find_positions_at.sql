-- find_positions_at
-- The last event before each of some instants, by halving: time never runs backwards in a log, and no index is kept for it.
-- Positions are dense, so that the difference of two of them is how many events were recorded between their instants.
-- $1 shop text
-- $2 instants timestamptz[]
WITH RECURSIVE halved AS (
    SELECT k.instant, -1::bigint AS low, coalesce((
        SELECT e.position FROM counterfoil.events AS e WHERE e.shop_id = $1 ORDER BY e.position DESC LIMIT 1
    ), -1) AS high
    FROM unnest($2::timestamptz[]) AS k (instant)
    UNION ALL
    SELECT h.instant, CASE WHEN e.at < h.instant THEN e.position ELSE h.low END,
        CASE WHEN e.at < h.instant THEN h.high ELSE e.position - 1 END
    FROM halved AS h
    CROSS JOIN LATERAL (
        SELECT e.position, e.at FROM counterfoil.events AS e
        WHERE e.shop_id = $1 AND e.position >= (h.low + h.high + 1) / 2 ORDER BY e.position LIMIT 1
    ) AS e
    WHERE h.low < h.high
)
SELECT instant, low AS position FROM halved WHERE low = high ORDER BY instant
