-- read_sink_version
-- $1 shop_id text
-- $2 name text
SELECT version, state FROM counterfoil.sinks WHERE shop_id = $1 AND name = $2;
