-- What `serve` may do with the log's tables. It logs in as a member of counterfoil_service and owns nothing.

-- Events are never changed.
GRANT SELECT, INSERT ON
    counterfoil.events, counterfoil.outbox, counterfoil.transmissions, counterfoil.conflicting_transmissions,
    counterfoil.callbacks, counterfoil.commands, counterfoil.certificates, counterfoil.evidence,
    counterfoil.evidence_keys TO counterfoil_service;

GRANT SELECT, INSERT ON counterfoil.shops TO counterfoil_service;
-- A row lock needs UPDATE of some column; this one never changes.
GRANT UPDATE (lockable) ON counterfoil.shops TO counterfoil_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON counterfoil.webhooks TO counterfoil_service;
GRANT SELECT, INSERT ON counterfoil.api_keys TO counterfoil_service;
GRANT UPDATE (revoked_at, last_used_at) ON counterfoil.api_keys TO counterfoil_service;
GRANT SELECT, INSERT, UPDATE ON counterfoil.checkpoints TO counterfoil_service;
