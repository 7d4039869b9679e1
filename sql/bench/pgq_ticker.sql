-- pgq_ticker
-- A script of pgbench: makes a batch of what has come since the last.
SELECT pgq.ticker('bench');
\sleep 100 ms
