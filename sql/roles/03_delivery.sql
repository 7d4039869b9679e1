-- 03_delivery
-- The outbox is pruned behind its readers; of what is pruned, `events` keeps everything.
GRANT DELETE ON counterfoil.outbox TO counterfoil_service;
GRANT SELECT, INSERT, UPDATE ON counterfoil.outbox_retention TO counterfoil_service;
GRANT SELECT ON counterfoil.forks TO counterfoil_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON counterfoil.consumers, counterfoil.sinks,
    counterfoil.undelivered TO counterfoil_service;
GRANT DELETE ON counterfoil.checkpoints TO counterfoil_service;
GRANT SELECT, INSERT, DELETE ON counterfoil.delivery_attempts TO counterfoil_service;

GRANT USAGE ON SCHEMA counterfoil TO counterfoil_reader;
GRANT SELECT ON counterfoil.outbox, counterfoil.outbox_feed TO counterfoil_reader;
