-- measure_parked
-- Parked facts of every shop that has some, and for how long the oldest has been, by the database's clock: for /metrics.
SELECT p.shop_id, count(*) AS parked,
    (extract(epoch FROM clock_timestamp() - min(p.parked_at)) * 1000)::bigint AS age_ms
FROM counterfoil.parked AS p
GROUP BY p.shop_id
ORDER BY p.shop_id
LIMIT 1000;
