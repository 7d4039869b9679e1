-- delete_sink
-- Its row goes, and with it everything that is only about it.
-- $1 shop_id text
-- $2 name text
WITH gone AS (
    DELETE FROM counterfoil.sinks WHERE shop_id = $1 AND name = $2 RETURNING name
), checkpoint AS (
    DELETE FROM counterfoil.checkpoints AS c USING gone AS g WHERE c.shop_id = $1 AND c.consumer = 'sink:' || g.name
), letters AS (
    DELETE FROM counterfoil.undelivered AS u USING gone AS g WHERE u.shop_id = $1 AND u.sink = g.name
), attempts AS (
    DELETE FROM counterfoil.delivery_attempts AS a USING gone AS g WHERE a.shop_id = $1 AND a.sink = g.name
)
SELECT name FROM gone;
