-- end_stale_leaders
-- Ends the sessions that hold a checkpoint for longer than a lease lasts. A leader moves its checkpoint first, and renews
-- its lease only between transactions: one that is so old is of a leader whose lease has run out. A stopped process, or
-- one that does not read what it is sent, would else hold the row and the shop with it. Of another login's session the
-- age is not known, and it may not be ended: it is only named.
-- $1 lease_ms bigint
SELECT a.pid, coalesce(a.usename::text, '') AS login, a.application_name,
    CASE WHEN pg_has_role(a.usesysid, 'USAGE') THEN pg_terminate_backend(a.pid, 500) ELSE false END AS is_ended
FROM pg_stat_activity AS a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND (a.xact_start IS NULL OR a.xact_start < clock_timestamp() - $1::bigint * interval '1 ms')
    AND EXISTS (
        SELECT FROM pg_locks AS l
        WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            AND l.relation = 'counterfoil.checkpoints'::regclass
    );
