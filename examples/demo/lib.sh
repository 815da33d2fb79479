# Shared by the demos: a sandbox of its own in a temporary folder, taken down however the script ends.

set -euo pipefail
dr=$(realpath "${1:?usage: $0 path/to/dr}")
work=$(mktemp -d "${TMPDIR:-/tmp}/dr-demo.XXXXXX")
chmod 755 "$work"
box=$work/sandbox
evidence=$work/evidence
plan=$box/plan.yaml
export DR_PLAN=$plan DR_EVIDENCE=$evidence

finish() {
  status=$?
  "$dr" sandbox --dir "$box" down >/dev/null 2>&1 || true
  if pgrep -f "$box" >/dev/null; then
    echo "still running:" >&2
    pgrep -af "$box" >&2
    status=1
  fi
  if [ "$status" -eq 0 ]; then
    echo
    echo "Nothing is left running. The evidence is in $evidence"
  else
    echo "the demo failed; what it left is in $work" >&2
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

bold=$'\e[1m' plain=$'\e[0m'
if [ -n "${NO_COLOR:-}" ] || [ ! -t 1 ]; then bold= plain=; fi
chapter() { printf '\n%s── %s ──%s\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ dr %s%s\n' "$bold" "$*" "$plain"; "$dr" "$@"; }

# Expects an exit code: expect 11 failover --yes
expect() {
  want=$1; shift
  printf '%s$ dr %s%s\n' "$bold" "$*" "$plain"
  got=0; "$dr" "$@" || got=$?
  if [ "$got" -ne "$want" ]; then echo "exit code $got instead of $want" >&2; exit 1; fi
}

# The newest bundle: by time.
newest() { ls -dt "$evidence"/*/ | head -n 1; }
metric() { sed -n "s/^ *\"$2\": \(.*[^,]\),\{0,1\}$/\1/p" "$1/metrics.json"; }
