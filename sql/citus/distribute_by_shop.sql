-- distribute_by_shop
-- Spreads every table that has a shop over the nodes of a Citus cluster, by the shop: a shop's rows of all tables stand on one
-- node, so that each statement and each transaction of a shop is of one node. Repeatable: it does what is not done yet, as for
-- the tables of a later migration.
--
-- What has no shop stays as it is, on the node that clients log in to: only `migrate` and the start of `serve` ask the
-- history of migrations.
--
-- The trigger that keeps events from being changed looks at no row and writes nothing, so it is as safe on a shard as on the
-- table. Citus lets the owner say so.
DO $$
DECLARE
    undistributed regclass;
BEGIN
    PERFORM pg_catalog.set_config('citus.enable_unsafe_triggers', 'on', true);
    -- One table after the other, in one session with each node: so many tables are of one transaction.
    PERFORM pg_catalog.set_config('citus.multi_shard_modify_mode', 'sequential', true);
    PERFORM pg_catalog.set_config('client_min_messages', 'warning', true);
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_dist_partition AS p WHERE p.logicalrelid = 'counterfoil.shops'::regclass) THEN
        PERFORM pg_catalog.create_distributed_table('counterfoil.shops', 'shop_id', colocate_with => 'none');
    END IF;
    FOR undistributed IN
        SELECT c.oid::regclass
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_class AS shops ON shops.oid = 'counterfoil.shops'::regclass
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'shop_id' AND NOT a.attisdropped
        WHERE c.relnamespace = shops.relnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_dist_partition AS p WHERE p.logicalrelid = c.oid)
        ORDER BY c.relname
    LOOP
        PERFORM pg_catalog.create_distributed_table(undistributed, 'shop_id', colocate_with => 'counterfoil.shops');
    END LOOP;
END $$;
