#!/usr/bin/env bash
# Finds kube-apiserver and kube-controller-manager for the tests and prints their folder. Where there are none it builds
# them, once, from the distribution's source package into a cache, and installs etcd. Debian and Ubuntu; elsewhere it says
# what is missing. All it says goes to standard error.
set -euo pipefail

say() { echo "kube.sh: $*" >&2; }
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
# The number grows when what is built changes.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/dr-kube-2"

holds_servers() { [ -x "$1/kube-apiserver" ] && [ -x "$1/kube-controller-manager" ]; }

find_servers() {
  local folder
  for folder in "${KUBEBUILDER_ASSETS:-}" /usr/local/kubebuilder/bin "$cache"; do
    if [ -n "$folder" ] && holds_servers "$folder"; then echo "$folder"; return; fi
  done
  return 1
}

has_etcd() {
  [ -x "${KUBEBUILDER_ASSETS:-/nonexistent}/etcd" ] || [ -x /usr/local/kubebuilder/bin/etcd ] \
    || [ -x "$cache/etcd" ] || [ -x /usr/bin/etcd ]
}

need_apt() { command -v apt-get >/dev/null || { say "please install: $*"; exit 1; }; }

# No package may start a service: the tests start their own, on loopback.
apt_install() {
  need_apt "$@"
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    undo_policy() { as_root rm -f /usr/sbin/policy-rc.d; }
  fi
  say "installing $*"
  as_root apt-get update -qq >&2
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2
}

work="" builder=""
undo_policy() { :; }
clean_up() {
  if [ -n "$builder" ]; then kill -KILL -- "-$builder" 2>/dev/null || true; wait "$builder" 2>/dev/null || true; fi
  undo_policy
  if [ -n "$work" ]; then rm -rf "$work"; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

has_etcd || apt_install etcd-server
if find_servers; then exit 0; fi
if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  say "$KUBEBUILDER_ASSETS has no kube-apiserver with a kube-controller-manager"
fi

# One build at a time; whoever waited finds what the other has built.
mkdir -p "$(dirname "$cache")"
exec 9>"$cache.lock"
flock -n 9 || { say "another build is under way; waiting for it"; flock 9; }
if find_servers; then exit 0; fi

# The package's code wants a Go of its time: newer ones refuse its vendored packages.
go_package() {
  local version
  for version in 1.19 1.18 1.17 1.16 1.15; do
    if apt-cache show "golang-$version-go" >/dev/null 2>&1; then echo "golang-$version-go"; return; fi
  done
  say "no Go between 1.15 and 1.19 in the package lists; put kube-apiserver and kube-controller-manager into $cache"
  return 1
}

need_apt "golang, the sources of kubernetes"
go="$(go_package)" || { as_root apt-get update -qq >&2; go="$(go_package)"; }
wanted=("$go" dpkg-dev make rsync jq gcc libc6-dev)
missing=()
for package in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] || apt_install "${missing[@]}"

started=$SECONDS
# Always the same folder, so that what a killed build left is removed by the next.
work="$cache.build"
rm -rf "$work"
lists="$work/apt"
mkdir -p "$lists/parts" "$lists/state/lists/partial" "$lists/cache/archives/partial"

# The system's own sources, asked for source packages, with lists of our own: no file of the system is changed.
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [ -f "$file" ] || continue
  sed -n 's/^deb \(.*\)$/deb-src \1/p' "$file" > "$lists/parts/$(basename "$file")"
done
for file in /etc/apt/sources.list.d/*.sources; do
  [ -f "$file" ] || continue
  sed 's/^Types:.*$/Types: deb-src/' "$file" > "$lists/parts/$(basename "$file")"
done
for file in "$lists"/parts/sources.list; do [ ! -f "$file" ] || mv "$file" "$lists/parts/system.list"; done
cat > "$lists/apt.conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$lists/parts";
Dir::State::lists "$lists/state/lists";
Dir::Cache "$lists/cache";
APT::Sandbox::User "";
CONF
say "fetching the source package kubernetes"
mkdir "$work/source"
(
  cd "$work/source"
  export APT_CONFIG="$lists/apt.conf"
  apt-get update -qq >&2
  apt-get source -qq --download-only kubernetes >&2 || {
    say "the system's package sources have no source package kubernetes; put the servers into $cache"
    exit 1
  }
  dpkg-source --no-check -x kubernetes_*.dsc tree >/dev/null
)
version="$(dpkg-parsechangelog -l "$work/source/tree/debian/changelog" -S Version \
  | sed 's/^[0-9]*://; s/.*+really//; s/[+~-].*//')"
IFS=. read -r major minor _ <<<"$version"

say "building kube-apiserver and kube-controller-manager $version: some minutes, up to ten on two cores"
# From Go 1.18 on the runtime's mapiterinit is given the iterator that it fills. The package's reflect2 links to the older
# form, and the server crashes when a custom resource is created.
mend_reflect2() {
  local map="$1/unsafe_map.go" link="$1/unsafe_link.go"
  grep -q 'hiter: *mapiterinit(' "$map" || return 0
  sed -i 's/hiter: *mapiterinit(/hiter: newIterator(/' "$map"
  perl -0pi -e 's/type hiter struct \{.*?\n\}/type hiter struct {\n\tkey, value, t, h, buckets, bptr unsafe.Pointer\n\toverflow, oldoverflow *[]unsafe.Pointer\n\tstartBucket uintptr\n\toffset uint8\n\twrapped bool\n\tB, i uint8\n\tbucket, checkBucket uintptr\n}/s;
    s/func mapiterinit\([^\n]*/func mapiterinit(rtype, m unsafe.Pointer, it *hiter)\n\nfunc newIterator(rtype, m unsafe.Pointer) *hiter {\n\tit := new(hiter)\n\tmapiterinit(rtype, m, it)\n\treturn it\n}/' "$link"
}

build() {
  local tree="$work/go/src/k8s.io/kubernetes" package flags
  mkdir -p "$(dirname "$tree")" "$work/tmp"
  mv "$work/source/tree" "$tree"
  cd "$tree"
  # Nothing is downloaded: all that it needs is in the package.
  export PATH="/usr/lib/go-${go//[!0-9.]/}/bin:$PATH" GOPATH="$work/go" GOCACHE="$work/cache"
  export HOME="$work" TMPDIR="$work/tmp"
  export GOPROXY=off GO111MODULE=off GOFLAGS= CGO_ENABLED=0
  case "${go//[!0-9.]/}" in 1.15|1.16|1.17) ;; *) mend_reflect2 "$tree/vendor/github.com/modern-go/reflect2" ;; esac
  printf "KUBE_GIT_COMMIT='package'\nKUBE_GIT_TREE_STATE='archive'\nKUBE_GIT_VERSION='v%s'\n" "$version" > "$work/version"
  printf "KUBE_GIT_MAJOR='%s'\nKUBE_GIT_MINOR='%s'\n" "$major" "$minor" >> "$work/version"
  KUBE_GIT_VERSION_FILE="$work/version" make -s gen_openapi
  flags="-s -w"
  for package in component-base/version client-go/pkg/version; do
    package="k8s.io/kubernetes/vendor/k8s.io/$package"
    flags+=" -X $package.gitVersion=v$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
  done
  mkdir "$work/out"
  go build -tags providerless,dockerless -trimpath -ldflags "$flags" -o "$work/out/" \
    ./cmd/kube-apiserver ./cmd/kube-controller-manager
}
# In a process group of its own, so that it ends whole when this is interrupted.
set -m
build > "$work/log" 2>&1 &
builder=$!
set +m
if ! wait "$builder"; then
  tail -n 30 "$work/log" >&2
  say "the build failed"
  exit 1
fi
builder=""
"$work/out/kube-apiserver" --version >&2

# By renames, the last of which makes it complete: a build that is killed leaves no half of a server.
mkdir -p "$cache"
mv "$work"/out/* "$cache/"
say "built in $((SECONDS - started)) s into $cache"
find_servers
