#!/usr/bin/env bash
# Starts PostgreSQL in a container; on an empty data directory, first makes a cluster, a user and a database, and
# runs what lies in /docker-entrypoint-initdb.d against a server that nobody else can reach yet.
# Understands the variables, and prints the log phrases, of the official postgres image.
set -Eeo pipefail

# A variable's value may be given in a file instead (NAME_FILE), which is how secrets arrive.
from_file() {
  local name=$1 default=${2-} file_name=$1_FILE
  if [[ -n ${!name-} && -n ${!file_name-} ]]; then
    echo "error: both $name and $file_name are set (but are exclusive)" >&2
    exit 1
  fi
  if [[ -n ${!name-} ]]; then
    default=${!name}
  elif [[ -n ${!file_name-} ]]; then
    default=$(<"${!file_name}")
  fi
  export "$name=$default"
  unset "$file_name"
}

settle_environment() {
  from_file POSTGRES_PASSWORD
  from_file POSTGRES_USER postgres
  from_file POSTGRES_DB "$POSTGRES_USER"
  from_file POSTGRES_INITDB_ARGS
}

# As root: everything that the server writes to belongs to postgres. As another user: as far as it goes; the server
# itself complains about a data directory that it cannot have.
prepare_directories() {
  local mine=("$PGDATA") dir
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA" || true
  mkdir -p /var/run/postgresql || true
  chmod 3775 /var/run/postgresql || true
  if [[ -n ${POSTGRES_INITDB_WALDIR-} ]]; then
    mkdir -p "$POSTGRES_INITDB_WALDIR"
    chmod 700 "$POSTGRES_INITDB_WALDIR" || true
    mine+=("$POSTGRES_INITDB_WALDIR")
  fi
  if [[ $(id -u) == 0 ]]; then
    for dir in "${mine[@]}" /var/run/postgresql; do
      find "$dir" ! -user postgres -exec chown postgres {} +
    done
  fi
}

require_password() {
  if [[ ${POSTGRES_HOST_AUTH_METHOD-} == trust ]]; then
    cat >&2 <<'END'
********************************************************************************
WARNING: POSTGRES_HOST_AUTH_METHOD has been set to "trust". Everyone who reaches
         the port of this server, and every container beside it, can do anything
         with it, without a password, even if POSTGRES_PASSWORD is set.
         Set POSTGRES_PASSWORD instead ("-e POSTGRES_PASSWORD=password").
********************************************************************************
END
  elif [[ -z $POSTGRES_PASSWORD ]]; then
    cat >&2 <<'END'
Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all
       connections without a password. This is *not* recommended.

       See PostgreSQL documentation about "trust":
       https://www.postgresql.org/docs/current/auth-trust.html
END
    exit 1
  fi
}

make_cluster() {
  local words=() names
  eval "words=( ${POSTGRES_INITDB_ARGS-} )" # the variable is a piece of a command line, quotes included
  [[ -z ${POSTGRES_INITDB_WALDIR-} ]] || words+=(--waldir "$POSTGRES_INITDB_WALDIR")

  # initdb wants a name for whoever runs it; under `--user 12345` there is none, so one is lent to it.
  if ! getent passwd "$(id -u)" >/dev/null; then
    names=$(mktemp -d)
    echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" >"$names/passwd"
    echo "postgres:x:$(id -g):" >"$names/group"
    export NSS_WRAPPER_PASSWD=$names/passwd NSS_WRAPPER_GROUP=$names/group LD_PRELOAD=libnss_wrapper.so
  fi
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") ${words[@]+"${words[@]}"}
  if [[ -n ${names-} ]]; then
    unset NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP LD_PRELOAD
    rm -rf "$names"
  fi
}

# Remote clients prove themselves in the way that the server stores passwords, unless told otherwise.
allow_hosts() {
  local method=${POSTGRES_HOST_AUTH_METHOD-}
  [[ -n $method ]] || method=$(postgres -C password_encryption "$@")
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# Runs SQL from standard input or -f FILE on the temporary server. Init scripts may use it, or "${psql[@]}", by this name.
docker_process_sql() {
  local database=()
  [[ -z ${POSTGRES_DB-} ]] || database=(--dbname "$POSTGRES_DB")
  PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc \
    ${database[@]+"${database[@]}"} "$@"
}

make_database() {
  local name=$POSTGRES_DB POSTGRES_DB=''
  [[ -z $(docker_process_sql --dbname postgres --set db="$name" --tuples-only \
    <<<"select 1 from pg_database where datname = :'db'") ]] || return 0
  docker_process_sql --dbname postgres --set db="$name" <<<'create database :"db"'
  echo
}

run_init_files() {
  # shellcheck disable=SC2034  # for the scripts that are sourced
  psql=(docker_process_sql)
  local file
  echo
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh)
        if [[ -x $file ]]; then
          echo "$0: running $file"
          "$file"
        else
          echo "$0: sourcing $file"
          # shellcheck disable=SC1090
          . "$file"
        fi
        ;;
      *.sql) echo "$0: running $file"; docker_process_sql -f "$file" ;;
      *.sql.gz) echo "$0: running $file"; gzip -dc "$file" | docker_process_sql ;;
      *.sql.xz) echo "$0: running $file"; xz -dc "$file" | docker_process_sql ;;
      *.sql.zst) echo "$0: running $file"; zstd -dc "$file" | docker_process_sql ;;
      *) echo "$0: ignoring $file" ;;
    esac
    echo
  done
}

initialise() {
  require_password
  ls /docker-entrypoint-initdb.d/ >/dev/null # unreadable: better found before there is half a cluster

  make_cluster
  allow_hosts "$@"

  export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD} # initdb may have been told to ask for it on the socket, too
  # The caller's own settings, but reachable by the unix socket only.
  NOTIFY_SOCKET='' PGUSER=${PGUSER:-$POSTGRES_USER} pg_ctl -D "$PGDATA" -w start \
    -o "$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")"
  make_database
  run_init_files
  PGUSER=${PGUSER:-postgres} pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD

  printf '\n%s\n\n' 'PostgreSQL init process complete; ready for start up.'
}

only_asks() {
  local argument
  for argument; do
    case $argument in
      '-?' | --help | --describe-config | -V | --version) return 0 ;;
    esac
  done
  return 1
}

[[ ${1-} != -* ]] || set -- postgres "$@"

if [[ ${1-} == postgres ]] && ! only_asks "$@"; then
  settle_environment
  prepare_directories
  if [[ $(id -u) == 0 ]]; then
    exec gosu postgres "${BASH_SOURCE[0]}" "$@"
  fi
  if [[ -s $PGDATA/PG_VERSION ]]; then
    printf '\n%s\n\n' 'PostgreSQL Database directory appears to contain a database; Skipping initialization'
  else
    initialise "${@:2}"
  fi
fi

exec "$@"
