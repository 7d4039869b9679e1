#!/bin/sh
# As PostgreSQL's image begins: makes the cluster once, with a superuser who needs a password but by the socket, and serves.
set -eu
chown postgres /var/run/postgresql
chmod 3775 /var/run/postgresql
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    install -d -o postgres -m 0700 "$PGDATA"
    password=$(mktemp)
    cat "$POSTGRES_PASSWORD_FILE" > "$password"
    chown postgres "$password"
    setpriv --reuid=postgres --regid=postgres --clear-groups initdb --auth-local=trust --auth-host=scram-sha-256 --pwfile="$password" > /dev/null
    rm "$password"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups postgres -c "listen_addresses=*" -c unix_socket_directories=/var/run/postgresql
