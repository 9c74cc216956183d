# What the scripts in deploy/ share: the tools and libraries a build needs, and the release build.
# Sourced, never run; the caller has `set -euo pipefail`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc 2>/dev/null || echo 2)

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $1"; shift; for line in "$@"; do say "  next: $line"; done; exit 1; }

# Prints the packages, of those named as arguments, that this machine lacks. A tool or library that came some other way
# than by apt counts as there.
missing_packages() {
  local package there
  for package in "$@"; do
    case $package in
      libevent-dev) there="pkg-config --exists libevent_pthreads libevent_openssl" ;;
      libssl-dev) there="pkg-config --exists openssl" ;;
      libcurl4-openssl-dev) there="pkg-config --exists libcurl" ;;
      libsqlite3-dev) there="pkg-config --exists sqlite3" ;;
      ca-certificates) there="test -s /etc/ssl/certs/ca-certificates.crt" ;;
      *) there="command -v $package" ;;
    esac
    $there >/dev/null 2>&1 || printf '%s\n' "$package"
  done
}

# Installs what is missing of the packages named as arguments; asks nothing.
install_packages() {
  local missing as_root=()
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "these Debian packages are missing, and there is no apt-get: ${missing[*]}" \
    "install what holds them on this system, and run this again"
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true </dev/null 2>/dev/null || die "these packages are missing, and only root may install them: ${missing[*]}" \
      "as root: apt-get install ${missing[*]}"
    as_root=(sudo -n)
  fi
  say "Installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq </dev/null >&2 || say "apt-get update failed; trying with the lists that are there"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    </dev/null >&2 || die "apt-get could not install ${missing[*]}" "read its messages above"
  mapfile -t missing < <(missing_packages "${missing[@]}")
  [ ${#missing[@]} -eq 0 ] || die "still missing after the installation: ${missing[*]}"
}

# Everything a build needs; further packages as arguments.
set_up() {
  [ -d /opt/swift/usr/bin ] && PATH=$PATH:/opt/swift/usr/bin
  command -v swift >/dev/null || die "no Swift toolchain: neither on PATH nor in /opt/swift" \
    "install Swift 6.2 or later from https://www.swift.org/install/linux/"
  install_packages pkg-config git ca-certificates libevent-dev libssl-dev libcurl4-openssl-dev libsqlite3-dev "$@"
}

# Whether the second version is the first one or later.
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# Builds customer-sync in release mode, and sets `release` to the program's path.
build_release() {
  local options=(--package-path "$root" -c release --product customer-sync -j "$jobs")
  # With its own copy of the standard library it starts faster and needs no toolchain where it runs.
  local toolchain
  toolchain=$(dirname "$(readlink -f "$(command -v swift)")")
  [ -d "$toolchain/../lib/swift_static" ] && options+=(--static-swift-stdlib)
  # Its 90,000 addresses packed: 4 MB less of it is read at each start. glibc knows that form from 2.36 on.
  if [ -x "$toolchain/ld.lld" ] && at_least 2.36 "$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2)"; then
    options+=(-Xswiftc -use-ld=lld -Xlinker -z -Xlinker pack-relative-relocs)
  fi
  say "Building customer-sync in release mode (a first time takes some minutes)"
  swift build "${options[@]}" </dev/null >&2 || die "the release build failed" "read the compiler's messages above"
  release=$(swift build "${options[@]}" --show-bin-path </dev/null)/customer-sync
}
