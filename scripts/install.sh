#!/usr/bin/env bash
# Installs what the demo or the tests need, where it is missing. Debian and Ubuntu; elsewhere it says what is missing.
set -euo pipefail

declare -A program_of=(
  [postgresql]="$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)/initdb"
  [nftables]=/usr/sbin/nft
  [bind9]=/usr/sbin/named
  [bind9-dnsutils]=/usr/bin/nsupdate
  [util-linux]=/usr/bin/setpriv
  [redis-server]=/usr/bin/redis-server
  [faketime]=/usr/bin/faketime
  [python3-venv]="$(python3 -c 'import ensurepip; print(ensurepip.__path__[0])' 2>/dev/null)"
)

case "${1:-test}" in
  demo) wanted=(postgresql nftables util-linux) ;;
  test) wanted=(postgresql nftables util-linux bind9 bind9-dnsutils redis-server faketime python3-venv) ;;
  *) echo "usage: install.sh demo|test" >&2; exit 2 ;;
esac

missing=()
for package in "${wanted[@]}"; do
  [ -x "${program_of[$package]}" ] || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "please install: ${missing[*]}" >&2
  exit 1
fi
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# No package may start a service: the tests and the sandbox start their own, on loopback.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
  as_root chmod 755 /usr/sbin/policy-rc.d
  trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
fi
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null

# Nor at the machine's next start: nothing here needs a Redis but those that the tests start.
case " ${missing[*]} " in
  *" redis-server "*) as_root systemctl --quiet disable redis-server 2>/dev/null || true ;;
esac
