-- read_sizes
-- How large each table is with its indexes, in bytes.
SELECT c.relname AS name, pg_total_relation_size(c.oid) AS bytes
FROM pg_class AS c
WHERE c.relnamespace = (SELECT e.relnamespace FROM pg_class AS e WHERE e.oid = 'counterfoil.events'::regclass)
    AND c.relkind IN ('r', 'p');
