# shellcheck shell=bash disable=SC2034
# Shared by the scripts beside it; sourced, never run. Everything it says goes to stderr.

# The series that `newest` means: the newest one that etcdmark is tested with.
NEWEST_SERIES=3.7

repo_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache_root=${ETCDMARK_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/etcdmark}

say() { printf '%s\n' "$*" >&2; }
step() { printf '\n== %s\n' "$*" >&2; }
die() {
    say "error: $*"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# as_root COMMAND…: runs it as root, directly or through sudo without a question; 1 when neither works.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# Newest version on stdin, one a line.
newest_line() { sort -V | tail -n 1; }

# Go's and etcd's name of this machine's architecture.
etcd_arch() {
    case $(uname -m) in
        x86_64) echo amd64 ;;
        aarch64 | arm64) echo arm64 ;;
        ppc64le) echo ppc64le ;;
        s390x) echo s390x ;;
        *) return 1 ;;
    esac
}

# private_apt DIR SUITE…: an apt configuration of our own under DIR for these suites of the machine's own
# mirror. The machine's configuration is read (mirror, keyring, proxy) and never changed; root is not needed.
# Afterwards `APT_CONFIG=DIR/apt.conf apt-get …` uses it. Fails where there is no apt.
private_apt() {
    local dir=$1 id codename line uri signed components
    shift
    if ! have apt-get || ! have dpkg-deb; then
        say "  no apt-get or dpkg-deb on this machine"
        return 1
    fi
    id=$(. /etc/os-release && echo "${ID:-}")
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
    case $id in
        debian) components=main ;;
        ubuntu) components='main universe' ;;
        *)
            say "  unknown suites of the distribution '$id'"
            return 1
            ;;
    esac
    # shellcheck disable=SC2016 # apt expands these
    line=$(apt-get indextargets --format '$(RELEASE)|$(COMPONENT)|$(REPO_URI)|$(SIGNED_BY)' 'Created-By: Packages' 2>/dev/null |
        awk -F'|' -v c="$codename" '($1 == c || $1 ~ /^(stable|oldstable|testing|unstable|sid)$/) && $2 == "main" { print; exit }')
    uri=$(printf '%s' "$line" | cut -d'|' -f3)
    signed=$(printf '%s' "$line" | cut -d'|' -f4)
    [ -n "$uri" ] || {
        say "  this machine's apt sources name no mirror of $id $codename"
        return 1
    }
    # apt answers an unset field with its own name.
    case $signed in /*) ;; *) signed=/usr/share/keyrings/$id-archive-keyring.gpg ;; esac
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/empty"
    for suite in "$@"; do
        printf 'deb [signed-by=%s] %s %s %s\n' "$signed" "$uri" "$suite" "$components"
    done >"$dir/sources.list"
    {
        # Proxies, certificates and credentials as the machine has them; hooks left out.
        apt-config dump | grep -E '^Acquire::' || true
        printf 'Acquire::Languages "none";\nAcquire::Retries "1";\nAcquire::http::Timeout "15";\nAcquire::https::Timeout "15";\n'
        printf 'Dir::Etc::sourcelist "%s";\nDir::Etc::sourceparts "%s";\nDir::Etc::parts "%s";\n' "$dir/sources.list" "$dir/empty" "$dir/empty"
        printf 'Dir::State::lists "%s";\nDir::Cache "%s";\nAPT::Sandbox::User "root";\n' "$dir/lists" "$dir/cache"
    } >"$dir/apt.conf"
    # One suite that the mirror no longer has must not spoil the others: a warning for apt, and for us.
    APT_CONFIG=$dir/apt.conf nice apt-get -q update >"$dir/update.log" 2>&1 ||
        say "  apt-get update (own lists): $(grep -E '^(E|W|Err):?' "$dir/update.log" | head -n 2 | tr '\n' ' ')"
}

# extract_deb DIR PACKAGE VERSION TO: fetches that version by DIR's configuration and unpacks it, uninstalled.
extract_deb() {
    local dir=$1 package=$2 version=$3 to=$4 fetched
    fetched=$(mktemp -d "$dir/deb.XXXXXX")
    (cd "$fetched" && APT_CONFIG=$dir/apt.conf apt-get -q download "$package=$version") >"$dir/download.log" 2>&1 || {
        say "  apt-get download $package=$version: $(tail -n 1 "$dir/download.log")"
        rm -rf "$fetched"
        return 1
    }
    mkdir -p "$to"
    dpkg-deb -x "$fetched"/*.deb "$to"
    rm -rf "$fetched"
}

# Checks the Rust toolchain: cargo, and at least the version that Cargo.toml asks for.
require_rust() {
    local wanted found
    # rustup puts it here, and a non-login shell may not know.
    if ! have cargo && [ -x "${HOME:-/root}/.cargo/bin/cargo" ]; then PATH=$HOME/.cargo/bin:$PATH; fi
    have cargo || die "no Rust toolchain: install one from https://rustup.rs, then run this again"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$repo_root/Cargo.toml")
    found=$(cd "$repo_root" && cargo --version | awk '{ print $2 }')
    [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] ||
        die "Rust $found is too old, etcdmark needs $wanted: run 'rustup update stable'"
    say "Rust $found"
}

# rustfmt and clippy, which a minimal toolchain lacks.
require_checkers() {
    local tool
    for tool in rustfmt clippy; do
        cargo "${tool#rust}" --version >/dev/null 2>&1 && continue
        say "no $tool: adding it to the toolchain"
        { have rustup && rustup component add "$tool" >&2; } ||
            die "could not add $tool: install it (rustup component add $tool) and run this again"
    done
}

# A C compiler and linker, which some dependencies need.
require_cc() {
    have cc && return 0
    say "no C compiler: installing gcc and libc6-dev"
    { have apt-get && as_root apt-get -q update >&2 &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends gcc libc6-dev >&2; } ||
        die "could not install a C compiler: install gcc (Debian, Ubuntu: build-essential) and run this again"
}

# Whether protoc works, and finds the well-known types (google/protobuf/*.proto), which Debian keeps in another
# package.
protoc_works() {
    local dir ok=1
    dir=$(mktemp -d)
    printf 'syntax = "proto3";\nimport "google/protobuf/descriptor.proto";\n' >"$dir/probe.proto"
    "${PROTOC:-protoc}" -I"$dir" ${PROTOC_INCLUDE:+-I"$PROTOC_INCLUDE"} --descriptor_set_out=/dev/null "$dir/probe.proto" \
        >/dev/null 2>&1 && ok=0
    rm -rf "$dir"
    return $ok
}

# protoc, for the build of etcd-client. As root (or with sudo) the distribution's packages; else the same packages,
# unpacked in the cache.
require_protoc() {
    local dir=$cache_root/protoc work version lib
    if protoc_works; then
        say "protoc: ${PROTOC:-$(command -v protoc)}"
        return 0
    fi
    if ! use_unpacked_protoc && have apt-get; then
        say "no protoc, or none with google/protobuf/*.proto: installing the packages protobuf-compiler and libprotobuf-dev"
        if as_root apt-get -q update >&2 &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends protobuf-compiler libprotobuf-dev >&2 &&
            protoc_works; then
            return 0
        fi
        say "not root, or that failed: unpacking the packages in $dir instead"
        work=$(mktemp -d)
        if private_apt "$work/apt" "$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")"; then
            for package in protobuf-compiler libprotobuf-dev $(APT_CONFIG=$work/apt/apt.conf apt-cache depends protobuf-compiler |
                awk '$1 == "Depends:" && $2 ~ /^libproto/ { print $2 }'); do
                version=$(APT_CONFIG=$work/apt/apt.conf apt-cache madison "$package" | awk 'NR == 1 { print $3 }')
                extract_deb "$work/apt" "$package" "$version" "$dir" || true
            done
        fi
        rm -rf "$work"
        lib=$(dirname "$(find "$dir" -name 'libprotoc.so*' 2>/dev/null | head -n 1)")
        # A wrapper, so that only protoc sees the libraries beside it.
        printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$lib" "$dir/usr/bin/protoc" >"$dir/protoc"
        chmod 755 "$dir/protoc"
        use_unpacked_protoc || true
    fi
    protoc_works ||
        die "no protoc that finds google/protobuf/descriptor.proto: install it (Debian, Ubuntu: apt-get install protobuf-compiler libprotobuf-dev; Fedora: dnf install protobuf-compiler protobuf-devel; macOS: brew install protobuf) or set PROTOC=/path/to/protoc and PROTOC_INCLUDE=/path/to/include"
    say "protoc: ${PROTOC:-$(command -v protoc)}"
}

# The protoc that an earlier call unpacked in the cache, if there is one.
use_unpacked_protoc() {
    local dir=$cache_root/protoc
    [ -x "$dir/protoc" ] && [ -d "$dir/usr/include/google/protobuf" ] || return 1
    export PROTOC=$dir/protoc PROTOC_INCLUDE=$dir/usr/include
    protoc_works && return 0
    unset PROTOC PROTOC_INCLUDE
    return 1
}

# Everything that a build needs.
require_build_tools() {
    step "tools"
    require_rust
    require_cc
    require_protoc
}
