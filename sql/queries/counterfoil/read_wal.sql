-- read_wal
-- How much write-ahead log there is, in bytes since the beginning.
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS bytes;
