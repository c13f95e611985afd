#!/usr/bin/env bash
# Shows what devdb is for, on a copy of the sample project that lies at the top of this repository.
# Installs what is missing; a second run takes seconds. Nothing in the repository is changed.
#
#   DEVDB_DEMO_SERVER=docker|local scripts/demo.sh     take this one, and no other
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$DEVDB_ROOT"

started=$SECONDS
project=''
bold='' dim='' plain=''
if [[ -t 1 && -z ${NO_COLOR-} ]]; then
  bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi

tell() { echo; printf '%s\n' "$@"; }

# run COMMAND: shows a command line, then runs exactly that.
run() {
  local began=${EPOCHREALTIME-} status=0
  printf '\n%s$ %s%s\n' "$bold" "$1" "$plain"
  eval "$1" </dev/null || status=$?
  if [[ -n $began ]]; then
    awk -v a="$began" -v b="$EPOCHREALTIME" -v d="$dim" -v p="$plain" 'BEGIN { if (b - a >= 0.5) printf "%s(%.1f s)%s\n", d, b - a, p }'
  fi
  [[ $status -eq 0 ]] || fail "that should have worked, but ended with exit code $status" || return $status
}

# ask SQL: a value from the dev database.
ask() { devdb --quiet psql -- -XAtc "$1" </dev/null; }

# Everything that a person would notice of the dev database: columns, indexes, applied migrations.
fingerprint() {
  ask "select md5(string_agg(line, E'\n' order by line)) from (
         select format('%s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod)) from pg_attribute
           where attrelid::regclass::text !~ '^(pg_|information_schema)' and not attisdropped
         union all select indexdef from pg_indexes where schemaname = 'public'
         union all select version::text from _sqlx_migrations) as found (line)"
}

clean_up() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  if [[ -n $project ]]; then
    (cd "$project" && devdb --quiet down --wipe --yes </dev/null >/dev/null) || say "could not remove the demo's server"
    cd / && rm -rf "$project"
  fi
  exit $status
}

# Docker where there is one or one can be had, else binaries on this machine.
choose_server() {
  local wanted=${DEVDB_DEMO_SERVER:-auto} image
  case $wanted in auto | docker | local) ;; *)
    fail "DEVDB_DEMO_SERVER is '$wanted'" "set it to docker or local, or unset it" || return
    ;;
  esac
  local named=${DEVDB_SERVER_IMAGE-} bin=${DEVDB_PG_BIN-}
  forget_environment

  if [[ $wanted != local ]]; then
    if ensure_engine && image=$(DEVDB_SERVER_IMAGE=$named ensure_image); then
      export DEVDB_SERVER_KIND=docker
      settings=''
      if [[ -n $named ]]; then # else devdb finds the same image by itself
        export DEVDB_SERVER_IMAGE=$named
        settings="DEVDB_SERVER_IMAGE=$named"
      fi
      where="in Docker, from the image $image"
      return
    fi
    [[ $wanted != docker ]] || return 1
    say "no Docker: going on with a local server"
  fi
  bin=$(DEVDB_PG_BIN=$bin ensure_local_postgres) || return
  export DEVDB_SERVER_KIND=local DEVDB_PG_BIN=$bin
  settings="DEVDB_SERVER_KIND=local DEVDB_PG_BIN=$bin"
  where="from the programs in $bin"
}

prepare() {
  ensure_rust
  choose_server
  programs=${CARGO_TARGET_DIR:-target}/debug
  if [[ -x $programs/devdb ]]; then
    cargo build --quiet --locked
  else
    say "building devdb: some minutes, this once"
    cargo build --locked
  fi
  programs=$(cd "$programs" && pwd)
  PATH=$programs:$PATH

  project=$(cd "$(mktemp -d "${TMPDIR:-/tmp}/devdb-demo.XXXXXX")" && pwd -P)
  cp -R devdb.toml migrations schema.sql "$project/"
  cd "$project"
}

main() {
  local settings where programs before file leaked
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  prepare

  tell "A project with a chain of migrations: users, documents, and embeddings with an hnsw index. (A copy: $project)"
  run 'ls migrations'

  tell "One command gives it the right Postgres ($where): started, waited for, every migration applied."
  run 'devdb ready'

  tell 'Now the dev database drifts, as they all do: a column, a table and an index, made by hand.'
  run 'devdb psql -- -c "alter table documents add column scratch_notes text"'
  run 'devdb psql -- -c "create table import_leftovers (id int, payload jsonb)"'
  run 'devdb psql -- -c "create index by_hand_idx on documents (title)"'
  before=$(fingerprint)

  tell 'Meanwhile somebody wants something: tags. They edit the wanted schema, schema.sql.'
  cp schema.sql schema.before
  cat >>schema.sql <<'SQL'

-- Tags

create table tags (
    id bigint generated always as identity primary key,
    name text not null unique
);

create table document_tags (
    document_id bigint not null references documents (id) on delete cascade,
    tag_id bigint not null references tags (id) on delete cascade,
    primary key (document_id, tag_id)
);

create index document_tags_tag_idx on document_tags (tag_id);
SQL
  run 'diff schema.before schema.sql || true'
  rm schema.before

  tell 'The migration is generated against a clean replay of the chain, and proved there before it is kept.'
  run 'devdb generate "add tags"'
  file=$(find migrations -name '*add_tags*.sql' ! -name '*.down.sql')
  [[ -n $file ]] || fail "generate left no file behind"
  run "cat $file"

  tell 'Did the drift leak into it?'
  leaked=$(grep -nE 'scratch_notes|import_leftovers|by_hand_idx' "$file" || true)
  [[ -z $leaked ]] || fail "it did: $leaked"
  grep -q document_tags "$file" || fail "no, but what was wanted is not in it either"
  echo "No: neither scratch_notes nor import_leftovers nor by_hand_idx is in that file."
  [[ $(fingerprint) == "$before" ]] || fail "but the dev database is not what it was before generate"
  echo "And the dev database was not touched: the drift is still in it, the new migration is not."

  tell 'Back to exactly what a wiped server and a full replay give, the new migration included.'
  run 'devdb reset --yes'
  run 'devdb psql -- -c "\dt"'
  [[ $(ask "select count(*) from pg_class where relname in ('import_leftovers', 'by_hand_idx')") == 0 &&
    $(ask "select count(*) from pg_attribute where attname = 'scratch_notes'") == 0 ]] ||
    fail "the drift survived the reset"
  echo "The tags are there, and what was made by hand is gone."
  run 'devdb status'

  tell "${bold}Done in $((SECONDS - started)) s.${plain} A server was started, drifted, was left alone by \`generate\`, and was reset. What to type next:" \
    "  cd $DEVDB_ROOT" \
    "  export PATH=$programs:\$PATH${settings:+ $settings}" \
    "  devdb ready          # the same on the sample project itself" \
    "  devdb --help         # generate, reset, undo, psql, env, status ..." \
    "  devdb down --wipe    # when you have seen enough: server and data are gone" \
    "The demo's own server and folder are removed now."
  [[ -z $ENGINE_PID ]] || tell "dockerd was started for this and still runs. To stop it, as root: kill $ENGINE_PID"
}

main "$@"
