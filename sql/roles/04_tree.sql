-- 04_tree
-- What was signed never changes but for cosignatures, and only what was never published goes.
GRANT SELECT, INSERT, UPDATE ON counterfoil.trees, counterfoil.tree_tiles TO counterfoil_service;
GRANT SELECT, INSERT, DELETE ON counterfoil.tree_checkpoints TO counterfoil_service;
GRANT UPDATE (note, published_at) ON counterfoil.tree_checkpoints TO counterfoil_service;
