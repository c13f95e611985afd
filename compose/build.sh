#!/usr/bin/env bash
# Builds the image devdb/pgvector:pg17 from Debian packages alone, where no registry answers.
#
#   compose/build.sh                build, unless the image is there and was made from these very files
#   compose/build.sh --force        build in any case
#   compose/build.sh --inputs       print the hash of what the image is made from
#   compose/build.sh --rootfs FILE  only write the root file system
#
# Needs mmdebstrap and, but for --rootfs, a Docker engine. scripts/lib.sh (ensure_image) sees to both.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
image=devdb/pgvector:pg17
suite=trixie
pg_major=17
packages=(
  "postgresql-$pg_major" "postgresql-$pg_major-pgvector"
  gosu libnss-wrapper             # the entry point: drop privileges, run as any --user
  gzip xz-utils zstd less         # init files; a pager for psql
  locales tzdata ca-certificates
)

say() { printf '%s\n' "$*" >&2; }

inputs_hash() {
  (cd "$here" && cat build.sh Dockerfile docker-entrypoint.sh) | cksum | cut -d ' ' -f 1
}

# This machine's own Debian mirror (or proxy), as sources for $suite; nothing on machines that are not Debian's:
# then mmdebstrap takes its default.
apt_sources() {
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  # shellcheck disable=SC2016  # the dollars belong to apt
  apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 'Component: main' 2>/dev/null | sort -u |
    while IFS='|' read -r label uri; do
      case $label in
        Debian) echo "deb [signed-by=$keyring] $uri $suite main" ;;
        Debian-Security) echo "deb [signed-by=$keyring] $uri $suite-security main" ;;
      esac
    done || true
}

# What apt on this machine was told about proxies.
apt_proxies() {
  apt-config dump 2>/dev/null | grep -iE '^Acquire::(https?::)?proxy(::|-| |\b)' | grep -v '""' || true
}

build_rootfs() {
  local out=$1 line options=() sources
  sources=$(apt_sources)
  while IFS= read -r line; do
    [[ -z $line ]] || options+=(--aptopt="$line")
  done < <(apt_proxies)

  # A Debian user of uid 999 and no cluster made by the packages themselves, both decided before they are unpacked.
  # shellcheck disable=SC2016  # "$1" is the hook's: the new root
  mmdebstrap --quiet --variant=essential --format=tar --skip=cleanup/run \
    --include="$(IFS=,; echo "${packages[*]}")" \
    ${options[@]+"${options[@]}"} \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-include=/usr/share/locale/locale.alias' \
    --essential-hook='
      echo "postgres:x:999:999::/var/lib/postgresql:/bin/bash" >> "$1/etc/passwd"
      echo "postgres:!:::::::" >> "$1/etc/shadow"
      echo "postgres:x:999:" >> "$1/etc/group"
      mkdir -p "$1/etc/postgresql-common"
      echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"' \
    --customize-hook='chroot "$1" localedef -i en_US -f UTF-8 -A /usr/share/locale/locale.alias en_US.UTF-8' \
    --customize-hook='
      sed -i -E "s/^#?(listen_addresses) *=.*/\1 = '"'*'"'/" "$1/usr/share/postgresql/'$pg_major'/postgresql.conf.sample"
      grep -q "^listen_addresses = '"'*'"'" "$1/usr/share/postgresql/'$pg_major'/postgresql.conf.sample"' \
    --customize-hook='
      mkdir -p "$1/docker-entrypoint-initdb.d"
      chroot "$1" install -d -o postgres -g postgres -m 1777 /var/lib/postgresql /var/lib/postgresql/data
      rm -rf "$1/run/"*
      install -d -m 1777 "$1/run/lock"
      chroot "$1" install -d -o postgres -g postgres -m 3777 /run/postgresql' \
    --customize-hook='
      cd "$1"
      rm -rf usr/share/i18n usr/share/postgresql-common/pgdg usr/share/perl/*/pod \
        var/cache/debconf/*-old var/lib/dpkg/*-old var/log/*.log var/log/apt etc/apt/apt.conf.d/99mmdebstrap' \
    "$suite" "$out" ${sources:+-} <<<"$sources"
}

main() {
  local force=false
  case ${1:-} in
    --inputs) inputs_hash; return ;;
    --rootfs) build_rootfs "${2:?--rootfs needs a file}"; return ;;
    --force) force=true ;;
    '') ;;
    *) say "unknown argument: $1"; return 2 ;;
  esac

  local inputs there before
  inputs=$(inputs_hash)
  there=$(docker image inspect --format '{{index .Config.Labels "dev.devdb.inputs"}}' "$image" 2>/dev/null || true)
  if [[ $there == "$inputs" && $force == false ]]; then
    say "$image is up to date"
    return
  fi

  local work started=$SECONDS
  work=$(mktemp -d "${TMPDIR:-/tmp}/devdb-image.XXXXXX")
  # shellcheck disable=SC2064  # the path of now
  trap "rm -rf '$work'" EXIT
  chmod 755 "$work"

  say "building $image from Debian $suite packages"
  # The engine cannot be told to wait: an engine that is not there is found now, not after the download.
  docker version >/dev/null
  build_rootfs "$work/rootfs.tar"
  install -m 755 "$here/docker-entrypoint.sh" "$work/"
  install -m 644 "$here/Dockerfile" "$work/"

  local version
  version=$(tar -xOf "$work/rootfs.tar" ./var/lib/dpkg/status |
    awk -v p="postgresql-$pg_major" '$1 == "Package:" { found = $2 == p } found && $1 == "Version:" { print $2 }')
  before=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null || true)
  docker build --quiet --force-rm --network none \
    --build-arg PG_MAJOR=$pg_major --build-arg PG_VERSION="$version" \
    --label dev.devdb.inputs="$inputs" --tag "$image" "$work" 2> >(grep -vE 'DEPRECATED|BuildKit|buildx|legacy|^ *$' >&2) >/dev/null
  [[ -z $before ]] || docker image rm "$before" >/dev/null 2>&1 || true # unless a container still has it
  say "built $image ($(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%.0f MB", $1 / 1e6 }'), $((SECONDS - started)) s)"
}

main "$@"
