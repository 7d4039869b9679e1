-- pgq_transaction
-- A script of pgbench: the plain transaction, which puts an event into a queue of PgQ too.
\set order random(1, 1000000)
\set product random(1, 1000)
\set user random(1, 100000)
BEGIN;
UPDATE orders SET status = 'paid', paid_at = now() WHERE id = :order;
UPDATE products SET on_hand = on_hand - 1 WHERE id = :product;
UPDATE coupons SET uses = uses + 1 WHERE code = :user AND user_id = :user;
UPDATE accounts SET points = points + 10 WHERE user_id = :user;
SELECT pgq.insert_event('bench', 'order.paid', '{"order":' || :order || ',"product":' || :product || ',"user":' || :user || '}');
COMMIT;
