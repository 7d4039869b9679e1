-- What rebuilds replaced, so that there is a way back at once.

CREATE TABLE counterfoil.replaced_rows (
    shop_id    text COLLATE "C" NOT NULL,
    rebuild    text COLLATE "C" NOT NULL,
    n          bigint NOT NULL,
    model      text COLLATE "C" NOT NULL,
    table_name text COLLATE "C" NOT NULL,
    old        jsonb,
    new        jsonb,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    undone_at  timestamptz,
    PRIMARY KEY (shop_id, rebuild, n)
);
COMMENT ON TABLE counterfoil.replaced_rows IS 'Rows of read models that a rebuild replaced, as they were and as they were made';
COMMENT ON COLUMN counterfoil.replaced_rows.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.replaced_rows.rebuild IS 'The rebuild''s id';
COMMENT ON COLUMN counterfoil.replaced_rows.n IS 'Counts the rows of one rebuild';
COMMENT ON COLUMN counterfoil.replaced_rows.model IS 'The model that was rebuilt';
COMMENT ON COLUMN counterfoil.replaced_rows.table_name IS 'The row''s table';
COMMENT ON COLUMN counterfoil.replaced_rows.old IS 'The row as it was; null: there was none';
COMMENT ON COLUMN counterfoil.replaced_rows.new IS 'The row as it was made; null: it was removed';
COMMENT ON COLUMN counterfoil.replaced_rows.at IS 'When';
COMMENT ON COLUMN counterfoil.replaced_rows.undone_at IS 'When the way back was taken';
