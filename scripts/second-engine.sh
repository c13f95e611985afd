#!/usr/bin/env bash
# A second Docker engine that is "elsewhere": on 127.0.0.2, reached over tcp with TLS and over ssh. For tests and for
# trying docs/scaling.md on one machine. Root only; runs until stdin is closed, and leaves nothing.
#
#   scripts/second-engine.sh FOLDER IMAGE PYTHON     writes FOLDER/env-tls and FOLDER/env-ssh, then says "ready"
#
# PYTHON is one with asyncssh.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

folder=$1 image=$2 python=$3
address=127.0.0.2 bridge=devdb2
pids=()

clean_up() {
  trap - EXIT
  local ids
  if ids=$(docker --host "unix://$folder/docker.sock" ps --all --quiet 2>/dev/null) && [[ -n $ids ]]; then
    # shellcheck disable=SC2086
    docker --host "unix://$folder/docker.sock" rm --force --volumes $ids >/dev/null 2>&1 || true
  fi
  [[ ${#pids[@]} -eq 0 ]] || kill "${pids[@]}" 2>/dev/null || true
  [[ ${#pids[@]} -eq 0 ]] || wait "${pids[@]}" 2>/dev/null || true
  pkill -KILL -f -- "-address $folder/exec/" || true # containers that an engine which was killed left
  ip link delete "$bridge" 2>/dev/null || true
  for place in $(awk -v at="$folder/" 'index($2, at) == 1 { print $2 }' /proc/mounts | sort -r); do umount -l "$place" || true; done
  rm -rf "$folder/data" "$folder/exec"
}
trap clean_up EXIT
trap 'exit 143' INT TERM

make_certificates() {
  mkdir -p "$folder/certs"
  cd "$folder/certs"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca-key.pem -out ca.pem 2>/dev/null
  issue server "subjectAltName=IP:$address" serverAuth
  issue client subjectAltName=DNS:client clientAuth
  cp client.pem cert.pem
  cp client-key.pem key.pem
}

# issue NAME ALTERNATIVE USAGE
issue() {
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1-key.pem" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -out "$1.pem" \
    -extfile <(printf '%s\nextendedKeyUsage=%s\n' "$2" "$3") 2>/dev/null
}

make_bridge() {
  ip link delete "$bridge" 2>/dev/null || true
  ip link add "$bridge" type bridge
  ip addr add 172.30.99.1/24 dev "$bridge"
  ip link set "$bridge" up
}

start_engine_two() {
  # Without iptables the proxy publishes ports, and the first engine's rules stay as they are.
  setsid dockerd --host "unix://$folder/docker.sock" --host "tcp://$address:2376" \
    --tlsverify --tlscacert "$folder/certs/ca.pem" --tlscert "$folder/certs/server.pem" --tlskey "$folder/certs/server-key.pem" \
    --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/docker.pid" \
    --add-runtime "held=$folder/bin/held-runc" --default-runtime held \
    --bridge "$bridge" --iptables=false --ip-forward=false --ip-masq=false </dev/null >>"$folder/dockerd.log" 2>&1 8>&- &
  pids[0]=$!
  local end=$((SECONDS + 60))
  until docker --host "unix://$folder/docker.sock" version >/dev/null 2>&1; do
    if [[ $SECONDS -ge $end || ! -e /proc/${pids[0]} ]]; then
      tail -n 15 "$folder/dockerd.log" >&2
      fail "the second engine does not answer"
      return
    fi
    sleep 0.2
  done
}

# While FOLDER/hold is there, a container that is being made stays at that: the program that makes it writes its number
# into FOLDER/held and waits.
make_runtime() {
  mkdir -p "$folder/bin"
  cat >"$folder/bin/held-runc" <<END
#!/bin/sh
case " \$* " in *" create "*) [ ! -e "$folder/hold" ] || { echo \$\$ >"$folder/held"; exec sleep 600; } ;; esac
exec runc "\$@"
END
  chmod 755 "$folder/bin/held-runc"
}

# Its containerd outlives it, and does not always let the next one in.
restart_engine_two() {
  local pid
  pid=$(cat "$folder/exec/containerd/containerd.pid" 2>/dev/null || true) # without a newline: `read` fails
  [[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null || true
  # Where nobody reaps it, it would pass for one that runs.
  rm -f "$folder/exec/containerd/containerd.pid"
  start_engine_two
}

copy_image() {
  docker save "$image" | docker --host "unix://$folder/docker.sock" load --quiet >/dev/null
}

# A server for `ssh root@127.0.0.2` with keys of its own, whose `docker` is the second engine's.
start_ssh() {
  ssh-keygen -q -t ed25519 -N '' -f "$folder/host_key"
  ssh-keygen -q -t ed25519 -N '' -f "$folder/client_key"
  DOCKER_HOST="unix://$folder/docker.sock" "$python" "$DEVDB_ROOT/scripts/second-engine-ssh.py" \
    "$address" 2222 "$folder" </dev/null >"$folder/ssh.log" 2>&1 8>&- &
  pids+=($!)
  # `ssh` reads only the home of /etc/passwd; what it is called as brings the rest.
  printf '#!/bin/sh\nexec %s -F %q "$@"\n' "$(command -v ssh)" "$folder/ssh_config" >"$folder/bin/ssh"
  chmod 755 "$folder/bin/ssh"
  printf 'Host %s\n  IdentityFile %s\n  UserKnownHostsFile %s\n  StrictHostKeyChecking accept-new\n  IdentitiesOnly yes\n' \
    "$address" "$folder/client_key" "$folder/known_hosts" >"$folder/ssh_config"
}

main() {
  [[ $EUID -eq 0 ]] || { fail "a second engine needs root"; return; }
  # One at a time: there is one address, and one bridge.
  exec 8>"/tmp/devdb-second-engine.lock"
  flock 8
  mkdir -p "$folder"
  (make_certificates)
  make_bridge
  make_runtime
  start_engine_two
  copy_image
  start_ssh
  printf 'DOCKER_HOST=tcp://%s:2376\nDOCKER_TLS_VERIFY=1\nDOCKER_CERT_PATH=%s\n' "$address" "$folder/certs" >"$folder/env-tls"
  printf 'DOCKER_HOST=ssh://root@%s:2222\nPATH=%s:%s\n' "$address" "$folder/bin" "$PATH" >"$folder/env-ssh"
  echo ready
  # An engine that is killed starts again, as a service does.
  local status
  while status=0; read -r -t 0.2 _ || status=$?; [[ $status -ne 1 ]]; do
    [[ -e /proc/${pids[0]} ]] || restart_engine_two || true # killed again: the next round
  done
}

main
