#!/bin/sh
# Within a fresh Debian, in namespaces of its own: installs the package and serves as its documents say.
# install.sh PORT LISTEN
set -eu
port=$1 listen=$2
mount -t proc proc /proc

dpkg --install /counterfoil.deb
systemd-analyze verify --man=no counterfoil.service
systemd-analyze security --offline=yes --threshold=25 counterfoil.service > /security.txt
test -s /usr/share/man/man1/counterfoil-serve.1.gz
test -s /usr/share/bash-completion/completions/counterfoil

version=$(pg_lsclusters --no-header | cut -d ' ' -f 1)
pg_conftool "$version" main set port "$port"
pg_ctlcluster "$version" main start
as_postgres() { runuser -u postgres -- psql -q -p "$port" -d "$1" -c "$2"; }
as_postgres postgres "CREATE ROLE counterfoil_owner LOGIN CREATEROLE PASSWORD 'of the owner'"
as_postgres postgres "CREATE DATABASE counterfoil OWNER counterfoil_owner"
export MAINTENANCE_DATABASE_URL="postgres://counterfoil_owner:of%20the%20owner@127.0.0.1:$port/counterfoil"
export COUNTERFOIL_STATE_DIR=/var/lib/counterfoil COUNTERFOIL_KEK_FILE=/etc/counterfoil/secrets/kek
counterfoil migrate
psql -q "$MAINTENANCE_DATABASE_URL" -c "CREATE ROLE counterfoil LOGIN IN ROLE counterfoil_service"
# The program of a package can be run before the package is installed.
dpkg-deb --extract /counterfoil.deb new
new/usr/bin/counterfoil migrate

(umask 077; head -c 32 /dev/urandom > /etc/counterfoil/secrets/kek)
counterfoil shops create shop --environment sandbox --webhook-id 7CR00000000000001
(umask 077; counterfoil keys create shop --holder "a test" --role shop > /checkout.key)
chown -R counterfoil: /var/lib/counterfoil
cp /paypal/root.pem /etc/counterfoil/roots/
sed -i "s|@%2Frun%2Fpostgresql/|@%2Frun%2Fpostgresql:$port/|; s|^COUNTERFOIL_LISTEN=.*|COUNTERFOIL_LISTEN=$listen|" /etc/counterfoil/counterfoil.env

# What systemd does by the unit: the secrets for the service alone, its settings, its user.
credentials=/run/credentials/counterfoil.service
install -d -m 0700 -o counterfoil "$credentials"
install -m 0400 -o counterfoil /etc/counterfoil/secrets/kek "$credentials/secrets_kek"
unit=/usr/lib/systemd/system/counterfoil.service
settings=$(sed -n 's/^Environment=//p' "$unit" | sed "s|%d|$credentials|")
start=$(sed -n 's/^ExecStart=//p' "$unit")
user=$(sed -n 's/^User=//p' "$unit")
set +e
# shellcheck disable=SC2046,SC2086
env -i PATH="$PATH" $(grep -v '^#' /etc/counterfoil/counterfoil.env) $settings COUNTERFOIL_CERTS=/paypal NOTIFY_SOCKET=/notify WATCHDOG_USEC=1000000 \
    runuser -u "$user" -- $start 2> /serve.log &
trap 'kill -TERM $(pidof counterfoil)' TERM
wait $!
wait $!
echo "serve ended: $?"
set -e

dpkg --purge counterfoil
test -s /etc/counterfoil/secrets/kek
! test -e /usr/bin/counterfoil
echo "purged, and the key is still there"
