# Sourced by tests/run.sh: private servers for the tests, on free ports, in one temporary directory, stopped at the end.
# Debian's packages are installed when they are missing and this is root; else it says what to install, and fails.

need() { # need COMMAND PACKAGE…: makes sure that a command can be found
  local command=$1; shift
  command -v "$command" >/dev/null && return
  if [ "$(id -u)" != 0 ]; then
    echo "The tests need $command. Install it with: sudo apt-get install $*" >&2
    exit 1
  fi
  if [ -z "${APT_UPDATED:-}" ]; then
    apt-get update -qq
    APT_UPDATED=1
  fi
  # Debian's packages would start servers of their own; the tests start theirs.
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  command -v "$command" >/dev/null || { echo "$command is still missing after installing $*" >&2; exit 1; }
}

postgres_bin() { # the directory of PostgreSQL's server programs, which Debian keeps off the PATH
  local newest
  newest=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
  if [ -n "$newest" ]; then echo "$newest"; elif command -v initdb >/dev/null; then dirname "$(command -v initdb)"; fi
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

as_owner() { # PostgreSQL refuses to run as root
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

make_certificates() { # an authority, and a certificate of localhost by it
  local new=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes) dir="$SERVICES/tls"
  need openssl openssl
  mkdir -p "$dir"
  openssl req -x509 "${new[@]}" -days 2 -subj "/CN=tests of sview" -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>"$dir/log"
  openssl req "${new[@]}" -subj "/CN=localhost" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
    -keyout "$dir/server.key" -out "$dir/server.csr" 2>>"$dir/log"
  openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 2 -copy_extensions copy \
    -out "$dir/server.pem" 2>>"$dir/log"
  export SVIEW_TEST_CA="$dir/ca.pem"
}

start_postgres() {
  local bin port dir="$SERVICES/postgres" tls="$SERVICES/tls"
  bin=$(postgres_bin)
  if [ -z "$bin" ] || ! [ -x "$bin/initdb" ]; then
    if [ "$(id -u)" != 0 ]; then
      echo "The tests need a PostgreSQL server. Install it with: sudo apt-get install postgresql" >&2
      exit 1
    fi
    [ -n "${APT_UPDATED:-}" ] || apt-get update -qq
    APT_UPDATED=1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null
    bin=$(postgres_bin)
  fi
  port=$(free_port)
  mkdir -p "$dir"
  install -m 600 "$tls/server.key" "$dir/server.key"
  [ "$(id -u)" = 0 ] && chown -R postgres "$dir"
  (cd / && as_owner "$bin/initdb" -D "$dir/data" -U sview --auth=trust --encoding=UTF8 --locale=C >"$SERVICES/initdb.log")
  (cd / && as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start \
    -o "-p $port -k $dir -c listen_addresses=127.0.0.1 -c max_connections=200 -c fsync=off -c shared_buffers=${POSTGRES_BUFFERS:-128MB} \
      -c ssl=on -c ssl_cert_file=$tls/server.pem -c ssl_key_file=$dir/server.key" >/dev/null)
  STOP_POSTGRES="$bin/pg_ctl"
  export SVIEW_TEST_POSTGRES_URL="postgres://sview@127.0.0.1:$port/postgres"
}

start_pgbouncer() { # in transaction mode, for every database of the PostgreSQL server, with few sessions for many clients
  local port dir="$SERVICES/pgbouncer" server=${SVIEW_TEST_POSTGRES_URL##*:}
  PATH="$PATH:/usr/sbin" need pgbouncer pgbouncer
  port=$(free_port)
  mkdir -p "$dir"
  cat >"$dir/pgbouncer.ini" <<END
[databases]
* = host=127.0.0.1 port=${server%%/*} user=sview
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 500
pidfile = $dir/pid
logfile = $dir/log
END
  [ "$(id -u)" = 0 ] && chown -R postgres "$dir"
  (cd / && PATH="$PATH:/usr/sbin" as_owner pgbouncer -q -d "$dir/pgbouncer.ini")
  export SVIEW_TEST_PGBOUNCER_URL="postgres://sview@127.0.0.1:$port"
}

start_redis() {
  local port tls_port tls="$SERVICES/tls"
  need redis-server redis-server
  port=$(free_port)
  tls_port=$(free_port)
  mkdir -p "$SERVICES/redis"
  redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$SERVICES/redis" --daemonize yes \
    --tls-port "$tls_port" --tls-cert-file "$tls/server.pem" --tls-key-file "$tls/server.key" --tls-ca-cert-file "$tls/ca.pem" \
    --tls-auth-clients no --pidfile "$SERVICES/redis/pid" --logfile "$SERVICES/redis/log" >/dev/null
  export SVIEW_TEST_REDIS_URL="redis://127.0.0.1:$port/" SVIEW_TEST_REDIS_TLS_URL="rediss://localhost:$tls_port/"
  for _ in $(seq 100); do
    redis-cli -p "$port" ping >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "Redis did not start; see $SERVICES/redis/log" >&2
  exit 1
}

python_tools() { # Python with what tests/requirements.txt names, in target/test-tools/venv
  local venv=target/test-tools/venv
  need python3 python3
  need openssl openssl
  if ! cmp -s tests/requirements.txt "$venv/requirements.txt"; then
    if ! python3 -c 'import ensurepip' 2>/dev/null; then
      if [ "$(id -u)" != 0 ]; then
        echo "The tests need Python's venv. Install it with: sudo apt-get install python3-venv" >&2
        exit 1
      fi
      [ -n "${APT_UPDATED:-}" ] || apt-get update -qq
      APT_UPDATED=1
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    fi
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/requirements.txt
    cp tests/requirements.txt "$venv/requirements.txt"
  fi
}

node_tools() { # what Node needs of tests/package.json, in target/test-tools/node_modules
  local tools=target/test-tools
  need node nodejs
  need npm npm
  mkdir -p "$tools"
  if ! cmp -s tests/package.json "$tools/package.json" || ! [ -d "$tools/node_modules" ]; then
    cp tests/package.json "$tools/package.json.new"
    (cd "$tools" && mv package.json.new package.json && npm install --silent --no-audit --no-fund --no-package-lock) ||
      { rm -f "$tools/package.json"; return 1; }
  fi
}

start_services() {
  need python3 python3
  SERVICES=$(mktemp -d "${TMPDIR:-/tmp}/sview-tests.XXXXXX")
  chmod 755 "$SERVICES"
  trap stop_services EXIT INT TERM
  make_certificates
  start_postgres
  start_pgbouncer
  start_redis
}

stop_services() {
  [ -f "$SERVICES/pgbouncer/pid" ] && kill "$(cat "$SERVICES/pgbouncer/pid")" 2>/dev/null
  [ -n "${STOP_POSTGRES:-}" ] && (cd / && as_owner "$STOP_POSTGRES" -D "$SERVICES/postgres/data" -m immediate stop >/dev/null 2>&1)
  if [ -f "$SERVICES/redis/pid" ]; then
    local redis; redis=$(cat "$SERVICES/redis/pid")
    kill "$redis" 2>/dev/null
    # It removes its own files as it ends: until then its directory cannot be removed.
    for _ in $(seq 100); do kill -0 "$redis" 2>/dev/null || break; sleep 0.1; done
  fi
  rm -rf "$SERVICES"
}
