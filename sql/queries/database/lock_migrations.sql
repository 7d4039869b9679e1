-- lock_migrations
-- Held by the session: the migration tool has no lock of its own.
-- $1 key bigint
SELECT pg_advisory_lock($1)::text AS locked;
