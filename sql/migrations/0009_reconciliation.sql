-- Reconciliation with PayPal: how far its events are listed, and which orders were looked up there.

SET LOCAL lock_timeout = '1s';

CREATE TABLE counterfoil.reconciliation (
    shop_id        text COLLATE "C" NOT NULL,
    listed_through timestamptz,
    ran_at         timestamptz,
    failed_at      timestamptz,
    error          text,
    listed         bigint NOT NULL DEFAULT 0,
    appended       bigint NOT NULL DEFAULT 0,
    confirmed      bigint NOT NULL DEFAULT 0,
    refuted        bigint NOT NULL DEFAULT 0,
    looked_up      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (shop_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE counterfoil.reconciliation IS 'How far each shop is reconciled with PayPal';
COMMENT ON COLUMN counterfoil.reconciliation.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.reconciliation.listed_through IS 'Every event that PayPal has listed up to then is in the log; null: none was listed yet';
COMMENT ON COLUMN counterfoil.reconciliation.ran_at IS 'When a run last ended well';
COMMENT ON COLUMN counterfoil.reconciliation.failed_at IS 'When one last failed';
COMMENT ON COLUMN counterfoil.reconciliation.error IS 'Why the last run failed; null: it did not';
COMMENT ON COLUMN counterfoil.reconciliation.listed IS 'Events that PayPal has listed, those of the overlap each time';
COMMENT ON COLUMN counterfoil.reconciliation.appended IS 'Events that the log lacked';
COMMENT ON COLUMN counterfoil.reconciliation.confirmed IS 'Captures that PayPal has confirmed';
COMMENT ON COLUMN counterfoil.reconciliation.refuted IS 'Captures that PayPal has refuted';
COMMENT ON COLUMN counterfoil.reconciliation.looked_up IS 'Orders that were looked up at PayPal';

CREATE TABLE counterfoil.order_lookups (
    shop_id      text COLLATE "C" NOT NULL,
    order_id     text COLLATE "C" NOT NULL,
    looked_up_at timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE counterfoil.order_lookups IS 'Which unpaid orders were looked up at PayPal; kept for some days';
COMMENT ON COLUMN counterfoil.order_lookups.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.order_lookups.order_id IS 'The order';
COMMENT ON COLUMN counterfoil.order_lookups.looked_up_at IS 'When, the last time';

-- Unpaid orders by their age.
CREATE INDEX orders_unpaid ON counterfoil.orders (shop_id, placed_at) WHERE paid_at IS NULL;
