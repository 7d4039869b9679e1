-- plain_tables
-- What most shops have instead: four tables that a payment's handler updates. The baseline of `counterfoil bench`.
CREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL DEFAULT 'placed', paid_at timestamptz, total_minor bigint NOT NULL);
CREATE TABLE products (id bigint PRIMARY KEY, on_hand bigint NOT NULL);
CREATE TABLE coupons (code bigint NOT NULL, user_id bigint NOT NULL, uses bigint NOT NULL DEFAULT 0, PRIMARY KEY (code, user_id));
CREATE TABLE accounts (user_id bigint PRIMARY KEY, points bigint NOT NULL);
INSERT INTO orders (id, total_minor) SELECT n, 1000 + n % 9000 FROM generate_series(1, 1000000) AS n;
INSERT INTO products (id, on_hand) SELECT n, 1000000000 FROM generate_series(1, 1000) AS n;
INSERT INTO coupons (code, user_id) SELECT n, n FROM generate_series(1, 100000) AS n;
INSERT INTO accounts (user_id, points) SELECT n, 1000000 FROM generate_series(1, 100000) AS n;
