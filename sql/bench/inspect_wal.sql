-- inspect_wal
-- What reads the write-ahead log; of PostgreSQL's own contributions.
CREATE EXTENSION IF NOT EXISTS pg_walinspect;
