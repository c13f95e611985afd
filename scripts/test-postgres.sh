#!/usr/bin/env bash
# The programs of one version of Postgres, for the tests that start a server of their own: found, or installed, and their
# folder printed on stdout.
#
#   scripts/test-postgres.sh 16
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ $# -eq 1 && $1 =~ ^[0-9]+$ ]] || { fail "which version?" "scripts/test-postgres.sh 16"; exit 2; }
ensure_postgres "$1"
