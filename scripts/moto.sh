#!/usr/bin/env bash
# Installs moto, beside which the AWS simulator is checked, into target/moto; `DR_TEST_MOTO` names another one's server.
set -euo pipefail

version=5.2.5
here=$(cd "$(dirname "$0")/.." && pwd)
home="$here/target/moto"

if [ "$("$home/bin/python" -c 'import moto; print(moto.__version__)' 2>/dev/null)" = "$version" ]; then
  exit 0
fi
command -v python3 >/dev/null || { echo "please install: python3 python3-venv" >&2; exit 1; }
rm -rf "$home"
python3 -m venv "$home"
"$home/bin/pip" install --quiet --disable-pip-version-check "moto[server]==$version"
