#!/bin/sh
# Makes what the services of compose.yaml need to know each other: the logins, the database, the key-encryption key. What is
# there stays. It runs in PostgreSQL's image, as root, and is the superuser by the server's socket.
set -eu
owner=/owner service=/service
# The user of the service's image.
user=900:900

sql() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --username postgres; }
is_there() { [ "$(echo "SELECT count(*) FROM $1 WHERE $2 = '$3'" | sql)" = 1 ]; }
random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
# Keeps what it is given in a file of the service's user alone, whole or not at all.
keep() {
    (umask 077; cat > "$1.new")
    # What should have made it may have failed.
    [ -s "$1.new" ] || exit 1
    chown "$user" "$1.new"
    mv "$1.new" "$1"
}
# login ROLE RIGHTS FILE: the file has the role's URL; where it was lost there is a new password.
login() {
    [ ! -e "$3" ] || return 0
    is_there pg_roles rolname "$1" || echo "CREATE ROLE $1 LOGIN $2" | sql
    password=$(random)
    [ ${#password} = 64 ] || exit 1
    echo "ALTER ROLE $1 PASSWORD '$password'" | sql
    echo "postgres://$1:$password@postgres/counterfoil" | keep "$3"
}

chmod 0700 "$owner" "$service"
chown "$user" "$owner" "$service"
is_there pg_roles rolname counterfoil_service || echo "CREATE ROLE counterfoil_service NOLOGIN" | sql
login counterfoil_owner CREATEROLE "$owner/database-url"
login counterfoil "IN ROLE counterfoil_service" "$service/database-url"
if ! is_there pg_database datname counterfoil; then
    # Never beside a database that has been written with another.
    [ -e "$service/kek" ] || random | keep "$service/kek"
    echo "CREATE DATABASE counterfoil OWNER counterfoil_owner" | sql
fi
