#!/usr/bin/env bash
# The one Postgres that the integration tests share: started, or found, and its URL printed on stdout.
#
#   scripts/test-server.sh          postgresql://postgres:postgres@127.0.0.1:PORT/postgres
#   scripts/test-server.sh --stop   remove it
#
# Its data lives in memory and nothing is synced: quick, and gone with the container. May be called by many at once.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

container=devdb-test-server
settings=(
  fsync=off synchronous_commit=off full_page_writes=off
  max_connections=300 shared_buffers=256MB
  max_wal_size=4GB checkpoint_timeout=1h
)

sql() {
  docker exec --interactive "$container" \
    psql --quiet --no-psqlrc --tuples-only --no-align -v ON_ERROR_STOP=1 postgresql://postgres:postgres@127.0.0.1:5432/postgres
}

running_spec() {
  docker container inspect --format '{{if .State.Running}}{{index .Config.Labels "dev.devdb.spec"}}{{end}}' "$container" 2>/dev/null
}

# Complete: the role is the last thing that is made.
is_ready() {
  [[ $(running_spec) == "$1" && $(sql <<<"select 1 from pg_roles where rolname = 'r_app'" 2>/dev/null) == 1 ]]
}

start() {
  local spec=$1 image arguments=() setting end
  # One that runs is never replaced because it is slow to answer: others are using it.
  if [[ $(running_spec) != "$spec" ]]; then
    image=$(ensure_image)
    say "starting the test server ($image)"
    docker rm --force --volumes "$container" >/dev/null 2>&1 || true
    for setting in "${settings[@]}"; do arguments+=(-c "$setting"); done
    docker run --detach --name "$container" \
      --label dev.devdb.role=test-server --label dev.devdb.spec="$spec" \
      --env POSTGRES_USER=postgres --env POSTGRES_PASSWORD=postgres \
      --tmpfs /var/lib/postgresql/data --shm-size 256m --publish 127.0.0.1::5432 \
      "$image" "${arguments[@]}" >/dev/null
  fi

  # The server of the init phase does not listen on TCP, so an answer is the final one's.
  end=$((SECONDS + 60))
  until [[ $(sql <<<'select 1' 2>/dev/null) == 1 ]]; do
    if [[ $SECONDS -ge $end || -z $(running_spec) ]]; then
      docker logs --tail 15 "$container" >&2
      fail "the test server does not answer; its last log lines are above" "scripts/test-server.sh --stop"
      return
    fi
    sleep 0.1
  done
  sql <<<"do \$\$ begin create role r_app nologin; exception when duplicate_object then end \$\$"
}

main() {
  case ${1-} in
    '') ;;
    --stop)
      if docker container inspect "$container" >/dev/null 2>&1; then
        docker rm --force --volumes "$container" >/dev/null
        say "removed $container"
      fi
      return
      ;;
    *)
      fail "unknown argument: $1" "scripts/test-server.sh [--stop]" || return 2
      ;;
  esac

  ensure_engine
  # Not the image's hash: another checkout that builds a slightly different image must not take the server away.
  local spec
  spec=$(printf '%s\n' "${DEVDB_SERVER_IMAGE-}" "${settings[@]}" | cksum | cut -d ' ' -f 1)
  is_ready "$spec" || with_lock test-server start "$spec"
  local port
  port=$(docker container inspect --format '{{(index (index .NetworkSettings.Ports "5432/tcp") 0).HostPort}}' "$container")
  printf 'postgresql://postgres:postgres@127.0.0.1:%s/postgres\n' "$port"
}

main "$@"
