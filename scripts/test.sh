#!/usr/bin/env bash
# Everything that has to hold before a change lands: format, clippy, and all tests against real servers.
# Installs what it needs, cleans up after itself, and skips nothing: what cannot be tested here is a failure.
#
#   scripts/test.sh               everything
#   scripts/test.sh generate::    arguments go to cargo-nextest
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$DEVDB_ROOT"

started=$SECONDS
run_folder='' # every test's temporary folder lies in it, and so everything that a test made can be known by it
test_server_is_ours=false

step() {
  local began=$SECONDS status=0
  printf '\n== %s\n' "$*" >&2
  "$@" 8>&- || status=$?
  [[ $status -ne 0 ]] || say "== done in $((SECONDS - began)) s"
  return $status
}

# Containers and volumes of this run's projects, which carry the project's folder on a label.
remove_leftovers() {
  local id
  for id in $(docker ps --all --quiet 2>/dev/null); do
    if [[ $(docker container inspect "$id" 2>/dev/null) == *"$run_folder"* ]]; then
      say "left behind: container $(docker container inspect --format '{{.Name}} ({{.Config.Image}})' "$id")"
      docker rm --force --volumes "$id" >/dev/null || true
    fi
  done
  for id in $(docker volume ls --quiet 2>/dev/null); do
    if [[ $(docker volume inspect "$id" 2>/dev/null) == *"$run_folder"* ]]; then
      say "left behind: volume $id"
      docker volume rm --force "$id" >/dev/null || true
    fi
  done
}

stop_local_servers() {
  local file pid
  while IFS= read -r file; do
    read -r pid <"$file" || continue
    if [[ -e /proc/$pid ]] || kill -0 "$pid" 2>/dev/null; then
      say "left behind: a local server, pid $pid"
      kill -QUIT "$pid" 2>/dev/null || true
    fi
  done < <(find "$run_folder" -name postmaster.pid 2>/dev/null)
}

clean_up() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  if [[ -n $run_folder ]]; then
    remove_leftovers
    stop_local_servers
    # Another run may have come to use the server that this one started.
    if [[ $test_server_is_ours == true ]] && { ! have flock || flock --exclusive --nonblock 8; }; then
      scripts/test-server.sh --stop 2>/dev/null || true
    fi
    # A bind-mounted data directory belongs to the container's postgres.
    rm -rf "$run_folder" 2>/dev/null || as_root rm -rf "$run_folder" || true
  fi
  stop_engine_if_ours || true
  if [[ $status -eq 0 ]]; then
    say "passed in $((SECONDS - started)) s"
  else
    say "FAILED (exit code $status) after $((SECONDS - started)) s"
  fi
  exit $status
}

prepare() {
  local named=${DEVDB_SERVER_IMAGE-}
  ensure_rust
  ensure_nextest
  have git || ensure_packages git
  [[ -n $(type -P kill) ]] || ensure_packages procps # tests run it, and a smallest Debian has only the shell's
  ensure_engine

  DEVDB_TEST_IMAGE=$(ensure_image)
  ensure_debian_postgres
  DEVDB_TEST_PG_BIN=$(ensure_local_postgres)
  local major
  for major in 15 16 18; do ensure_postgres $major >/dev/null; done # the tests ask scripts/test-postgres.sh
  DEVDB_TEST_PYTHON=$(cache_folder)/test-python/bin/python
  with_lock test-python make_venv "${DEVDB_TEST_PYTHON%/bin/python}" alembic sqlalchemy greenlet 'psycopg[binary]' pgvector pg8000 \
    pytest pytest-xdist asyncssh
  # For the engine that is "elsewhere", and where images are pushed.
  have ssh || ensure_packages openssh-client
  have openssl || ensure_packages openssl
  have ip || ensure_packages iproute2
  DEVDB_TEST_REGISTRY=$(unpacked_program docker-registry docker-registry)
  export DEVDB_TEST_IMAGE DEVDB_TEST_PG_BIN DEVDB_TEST_PYTHON DEVDB_TEST_REGISTRY
  forget_environment

  # Short, as the path of a unix socket may have 107 bytes; and the real one, as that is what labels carry.
  run_folder=$(cd "$(mktemp -d /tmp/dt.XXXXXX)" && pwd -P)
  chmod 755 "$run_folder" # a local server of root's runs as somebody else
  export TMPDIR=$run_folder DEVDB_STATE_DIR=$run_folder/state

  if [[ -z ${DEVDB_TEST_URL-} ]]; then
    exec 8>"/tmp/devdb-$EUID-test-server.users"
    ! have flock || flock --shared 8
    [[ $(docker container inspect --format '{{.State.Running}}' devdb-test-server 2>/dev/null) == true ]] ||
      test_server_is_ours=true
    DEVDB_TEST_URL=$(DEVDB_SERVER_IMAGE=$named scripts/test-server.sh)
    export DEVDB_TEST_URL
  fi
}

main() {
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM

  prepare
  step cargo fmt --check
  step cargo clippy --all-targets -- -D warnings
  step cargo nextest run "$@"
}

main "$@"
