-- end_stale_leaders
-- Ends the sessions that hold a checkpoint for longer than a lease lasts, and have waited for their client for as long. A
-- leader moves its checkpoint first, and renews its lease only between transactions: one that is so old is of a leader
-- whose lease has run out. A stopped process, or one that does not read what it is sent, would else hold the row and the
-- shop with it.
-- A backend that works is left alone, whatever became of its leader: its statement_timeout ends the work, then it waits
-- for its client too. So is one that waits for a synchronous standby, for as long as that takes: whoever ended the wait
-- would have the commit seen by everybody though no standby has it.
-- Of another login's session neither is known, unless this one may read all statistics, and it may not be ended: it is
-- only named.
-- $1 lease_ms bigint
SELECT a.pid, coalesce(a.usename::text, '') AS login, a.application_name, may.be_ended,
    CASE WHEN may.be_ended THEN pg_terminate_backend(a.pid, 500) ELSE false END AS is_ended
FROM pg_stat_activity AS a
CROSS JOIN LATERAL (SELECT coalesce(pg_has_role(a.usesysid, 'USAGE'), false) AS be_ended OFFSET 0) AS may
CROSS JOIN LATERAL (SELECT clock_timestamp() - $1::bigint * interval '1 ms' AS ago OFFSET 0) AS a_lease
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND CASE
        -- A session that was between transactions when this was read, and holds a lock by now, is young.
        WHEN may.be_ended
            THEN a.xact_start < a_lease.ago AND a.wait_event_type = 'Client' AND a.state_change < a_lease.ago
        ELSE coalesce(a.xact_start < a_lease.ago, true)
    END
    AND EXISTS (
        SELECT FROM pg_locks AS l
        WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            AND l.relation = 'counterfoil.checkpoints'::regclass
    );
