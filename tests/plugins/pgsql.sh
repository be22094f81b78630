#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the store contract against a PostgreSQL of its own: a new cluster in a temporary
# folder, reached by a unix socket alone, stopped by its own pid file at the end.  With
# MRG_THROUGH_PGBOUNCER through a pgbouncer in transaction mode (pgbouncer.sh), with
# MRG_THROUGH_PLPROXY through PL/Proxy over two databases (plproxy.sh).
set -eu

skip() {
    echo "1..0 # SKIP $1"
    exit 0
}

bin=$(pg_config --bindir 2>/dev/null) || bin=
for candidate in "$bin" /usr/lib/postgresql/*/bin; do
    if [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ]; then
        server=$candidate
    fi
done
[ -n "${server:-}" ] || skip "there are no server binaries of PostgreSQL"

if [ -n "${MRG_THROUGH_PGBOUNCER:-}" ]; then
    pgbouncer=$(PATH=$PATH:/usr/sbin command -v pgbouncer) || skip "there is no pgbouncer"
fi
if [ -n "${MRG_THROUGH_PLPROXY:-}" ]; then
    ls /usr/share/postgresql/*/extension/plproxy.control >/dev/null 2>&1 ||
        skip "there is no PL/Proxy"
fi

# PostgreSQL refuses to run as root.
as=
if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 || skip "there is no user postgres, and this is root"
    command -v setpriv >/dev/null || skip "there is no setpriv"
    as="setpriv --reuid=postgres --regid=postgres --clear-groups"
fi

folder=$(mktemp -d /tmp/merganser-pgsql.XXXXXX)
stop() {
    [ ! -s "$folder/pgbouncer.pid" ] || kill "$(cat "$folder/pgbouncer.pid")" || :
    for data in "$folder/replica" "$folder/data"; do
        [ ! -s "$data/postmaster.pid" ] ||
            $as "$server/pg_ctl" -D "$data" -m immediate -w stop >/dev/null || :
    done
    cd /
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM
[ -z "$as" ] || chown postgres "$folder"
cd "$folder"

fail() {
    sed 's/^/# /' "$folder/log"
    echo "Bail out! $1"
    exit 1
}
$as "$server/initdb" -D "$folder/data" -U merganser -A trust -E UTF8 --no-locale --no-sync \
    >"$folder/log" 2>&1 || fail "initdb failed"
$as "$server/pg_ctl" -D "$folder/data" -l "$folder/data/server.log" -w -t 60 \
    -o "-k $folder -c listen_addresses= -c fsync=off" start >"$folder/log" 2>&1 ||
    fail "PostgreSQL did not start"

conninfo="host=$folder user=merganser dbname=postgres"
if [ -n "${MRG_THROUGH_PGBOUNCER:-}" ]; then
    cat >"$folder/pgbouncer.ini" <<END
[databases]
postgres = host=$folder
[pgbouncer]
pool_mode = transaction
auth_type = any
listen_addr =
listen_port = 6432
unix_socket_dir = $folder
pidfile = $folder/pgbouncer.pid
logfile = $folder/pgbouncer.log
max_client_conn = 200
default_pool_size = 4
ignore_startup_parameters = extra_float_digits
server_round_robin = 1
END
    # A user that exists, for the database's own.
    sed -i "s/^postgres = .*/& user=merganser/" "$folder/pgbouncer.ini"
    $as "$pgbouncer" -q -d "$folder/pgbouncer.ini" >"$folder/log" 2>&1 || fail "pgbouncer did not start"
    conninfo="$conninfo port=6432"
    # It goes into the background before it listens.
    tries=0
    until "$server/psql" -X -q -c 'SELECT 1' "$conninfo" >"$folder/log" 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "pgbouncer does not answer"
        sleep 0.1
    done
    MRG_TEST_PGSQL_PREPARE=no
    export MRG_TEST_PGSQL_PREPARE
elif [ -n "${MRG_THROUGH_PLPROXY:-}" ]; then
    run="$server/psql -X -q -1 -v ON_ERROR_STOP=1 -h $folder -U merganser"
    for name in shard_0 shard_1 proxy; do
        "$server/createdb" -h "$folder" -U merganser "$name" || fail "there is no database $name"
    done
    sql=$G_TEST_SRCDIR/../conf/sql
    for name in shard_0 shard_1; do
        cat "$sql/pgsql.sql" "$sql/pgsql-2.sql" "$sql/pgsql-3.sql" "$sql/pgsql-4.sql" |
            $run "$name" >"$folder/log" 2>&1 || fail "the tables cannot be made"
    done
    $run -v user=merganser -v password=any -v host_0="$folder" -v port_0=5432 \
        -v dbname_0=shard_0 -v host_1="$folder" -v port_1=5432 -v dbname_1=shard_1 \
        -f "$sql/plproxy.sql" proxy >"$folder/log" 2>&1 || fail "plproxy.sql cannot be run"
    conninfo="host=$folder user=merganser dbname=proxy"
    MRG_TEST_PGSQL_SHARDS="host=$folder user=merganser dbname=shard_"
    export MRG_TEST_PGSQL_SHARDS
else
    $as "$server/pg_basebackup" -h "$folder" -U merganser -D "$folder/replica" -R -c fast -N \
        >"$folder/log" 2>&1 || fail "pg_basebackup failed"
    $as "$server/pg_ctl" -D "$folder/replica" -l "$folder/replica/server.log" -w -t 60 \
        -o "-k $folder -p 5433 -c listen_addresses= -c fsync=off" start >"$folder/log" 2>&1 ||
        fail "the replica did not start"
    MRG_TEST_PGSQL_REPLICA="$conninfo port=5433"
    export MRG_TEST_PGSQL_REPLICA
fi
MRG_TEST_PGSQL=$conninfo
export MRG_TEST_PGSQL
"$G_TEST_BUILDDIR/unit/test-store"
