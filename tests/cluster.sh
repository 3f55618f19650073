# shellcheck shell=bash
# Throw-away clusters for the tests in tests/process: sourced, with the repository as current folder.
# Everything is below one new folder, in memory where there is enough of it (tests/shelf.sh), belongs to the user that the server
# runs as, and is stopped and removed when the script ends. Results are printed as "ok NAME" or "not ok NAME".

bin=$PWD/.aegis/pg/lib/postgresql/15/bin
if [ ! -e "$PWD/.aegis/pg/lib/postgresql/15/lib/aegis.so" ]; then
  echo "aegis is not built for testing" >&2
  echo "hint: run tests/regress.sh once, or ./aegis check process" >&2
  exit 1
fi
unset "${!PG@}"
export LC_ALL=C.UTF-8

as_server() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

place=$(as_server mktemp -d "$(tests/shelf.sh)/aegis-process.XXXXXX")
cluster=$place/data
log=$place/log
failed=0

end() {
  as_server "$bin/pg_ctl" stop -s -m immediate -D "$cluster" > /dev/null 2>&1 || true
  rm -rf "$place"
}
trap end EXIT
trap 'exit 130' INT TERM

init_cluster() { as_server "$bin/initdb" -D "$1" -U postgres --encoding=UTF8 --no-locale --no-sync -A trust > /dev/null; }

# make_cluster: a stopped cluster without aegis in its configuration; connections by socket only. The first one of a script is a
# copy, which takes a fifth of the time; another is made, so that it has a system identifier of its own.
fresh=$PWD/.aegis/fresh
made=no
make_cluster() {
  if [ "$made" = yes ]; then
    init_cluster "$cluster"
  else
    made=yes
    (flock 8 && { [ -e "$fresh/whole" ] || {
      rm -rf "$fresh"
      install -d -o "$(as_server id -u)" "$fresh"
      init_cluster "$fresh/data"
      touch "$fresh/whole"
    }; }) 8> "$fresh.lock"
    as_server cp -a "$fresh/data" "$cluster"
  fi
  as_server tee -a "$cluster/postgresql.conf" > /dev/null << CONF
listen_addresses = ''
unix_socket_directories = '$place'
log_line_prefix = '%m [%p] '
CONF
  as_server sh -c 'umask 0277; printf "1:%064d\n" 7 > "$0"' "$place/keyring"
}

# settings LINE ...: appends to postgresql.conf.
settings() { printf '%s\n' "$@" | as_server tee -a "$cluster/postgresql.conf" > /dev/null; }

preload() { settings "shared_preload_libraries = 'aegis'" "aegis.environment = 'development'" "aegis.key_provider = 'file:$place/keyring'"; }

# start [VARIABLE=VALUE ...]: false when the server does not come up; its log is $log.
start() { as_server env "$@" "$bin/pg_ctl" start -s -w -t 60 -D "$cluster" -l "$log" > /dev/null 2>&1; }
# Variables with which malloc gives back at once what is freed: by itself it keeps a heap of up to twice the largest block
# that was ever freed. So what a backend has is in use.
# shellcheck disable=SC2034
giving_back=(MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=65536 MALLOC_TOP_PAD_=0)
# must_start [VARIABLE=VALUE ...]: ends the test when the server does not come up.
must_start() { start "$@" || { as_server tail -n 20 "$log"; exit 1; }; }
stop() { as_server "$bin/pg_ctl" stop -s -w -m "${1:-fast}" -D "$cluster"; }

# query SQL [PSQL ARGUMENT ...]: as the superuser in database test; unaligned, errors with details.
query() {
  local text=$1
  shift
  as_server "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$place" -U postgres -d "${query_database:-postgres}" "$@" -c "$text" 2>&1
}

# as_role ROLE [PSQL ARGUMENT ...]: what stands on standard input, or after -c, as that role; as query otherwise.
as_role() { as_server "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$place" -d "${query_database:-postgres}" -U "$@" 2>&1; }

# must_have_worker [WHEN]: ends the test when the worker does not start.
alive() { [ "$(query 'SELECT alive FROM aegis.worker_status()')" = t ]; }
must_have_worker() { within 20 alive || { echo "not ok the worker starts${1:+ $1}"; exit 1; }; }

# make_target NAME: builds what cmake knows by that name in $build, one script at a time.
build=$PWD/.aegis/verify
make_target() {
  (flock 8 && cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DAEGIS_TESTS=OFF && cmake --build "$build" -j"$(nproc)" --target "$1") 8> "$build.lock" > /dev/null
}

# built NAME: builds a program, and prints where it is.
built() { make_target "$1" && find "$build" -name "$1" -type f -perm -u+x; }

# says NAME COMMAND-OUTPUT PATTERN ...: ok when every extended regular expression is in the text.
says() {
  local name=$1 text=$2 pattern
  shift 2
  for pattern in "$@"; do
    if ! grep -qE -- "$pattern" <<< "$text"; then
      echo "not ok $name"
      echo "  wanted: $pattern"
      sed 's/^/  got: /' <<< "$text"
      failed=1
      return
    fi
  done
  echo "ok $name"
}

# is NAME GOT WANTED
is() {
  if [ "$2" = "$3" ]; then
    echo "ok $1"
  else
    echo "not ok $1"
    echo "  wanted: $3"
    echo "  got: $2"
    failed=1
  fi
}

# within SECONDS COMMAND ...: waits until the command succeeds; false when it does not in time.
within() {
  local until=$((SECONDS + $1))
  shift
  while ! "$@" > /dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.1
  done
}

finish() { exit "$failed"; }
