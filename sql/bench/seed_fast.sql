-- seed_fast
-- For a session that fills tables: nobody waits for its commits, and it may take its time.
SET statement_timeout = 0;
SET synchronous_commit = off;
SET work_mem = '128MB';
