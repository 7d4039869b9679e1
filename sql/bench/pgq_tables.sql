-- pgq_tables
-- A queue and its consumer, beside the tables of the plain transaction.
CREATE EXTENSION pgq;
SELECT pgq.create_queue('bench');
SELECT pgq.set_queue_config('bench', 'ticker_max_lag', '100 milliseconds');
SELECT pgq.register_consumer('bench', 'consumer');
