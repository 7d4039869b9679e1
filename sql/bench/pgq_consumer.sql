-- pgq_consumer
-- A script of pgbench: a consumer takes a batch, reads all of it, and is done with it; without one it waits a little.
SELECT coalesce(pgq.next_batch('bench', 'consumer'), 0) AS batch \gset
\if :batch > 0
SELECT ev_id, ev_type, ev_data FROM pgq.get_batch_events(:batch);
SELECT pgq.finish_batch(:batch);
\else
\sleep 10 ms
\endif
