#!/usr/bin/env bash
# Provides etcd binaries without touching the system: scripts/install-etcd.sh VERSION…
#
# A VERSION is exact (3.5.16), a series (3.5: any patch of it, the newest where there is a choice) or `newest`.
# Tried in this order: a binary already here (cache, PATH); the official release, checksum verified; a build of
# etcd's Go module; the distribution's package, unpacked and not installed. Works as root and otherwise.
#
# stdout: one line per version asked for, `VERSION PATH` with the exact version. stderr: everything else.
# exit: 0 all provided; 1 some could not be provided; 2 usage.
# Cache: ${ETCDMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/etcdmark}/etcd/VERSION/etcd
# shellcheck disable=SC2317 # the ways are called by name: "from_$way"
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

RELEASES=https://github.com/etcd-io/etcd/releases
RELEASES_API=https://api.github.com/repos/etcd-io/etcd/releases
GO_MODULE=go.etcd.io/etcd/server/v3
DEBIAN_SUITES='bookworm trixie sid'
UBUNTU_SUITES='jammy noble questing'

etcd_cache=$cache_root/etcd
releases_down= # set once the release host did not answer, so that it costs one timeout and not one per version
apt_ready=     # '' not tried, yes, no
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

usage() { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; }

# version_of BINARY → its exact version; fails on anything that is not a runnable etcd.
version_of() {
    local v
    v=$("$1" --version 2>/dev/null </dev/null | sed -n 's/^etcd Version: *\([0-9][0-9.]*\).*/\1/p')
    [ -n "$v" ] && echo "$v"
}

# matches WANT VERSION
matches() { [ "$1" = "$2" ] || [ "$1" = "${2%.*}" ]; }

# pick WANT: of the versions on stdin (one a line, no pre-releases), the newest that matches.
pick() {
    local want=$1 v
    while read -r v; do if matches "$want" "$v"; then echo "$v"; fi; done | newest_line
}

# keep VERSION FROM…: moves binaries into the cache in one rename, checks that etcd runs and is what it should be.
keep() {
    local version=$1 stage dest=$etcd_cache/$1 file got
    shift
    mkdir -p "$etcd_cache"
    stage=$(mktemp -d "$etcd_cache/.stage.XXXXXX")
    for file in "$@"; do
        if [ -e "$file" ]; then install -m 755 "$file" "$stage/$(basename "$file")"; fi
    done
    chmod 755 "$stage"
    got=$(version_of "$stage/etcd") || got='nothing that runs'
    if [ "$got" != "$version" ]; then
        rm -rf "$stage"
        say "  expected etcd $version, got $got"
        return 1
    fi
    # A directory in the way is a broken leftover or another run's equal result; either is replaced.
    rm -rf "$dest"
    mv -T "$stage" "$dest" 2>/dev/null || rm -rf "$stage"
    provided="$version $dest/etcd"
}

from_here() {
    local want=$1 dir version found
    found=$(for dir in "$etcd_cache"/*/; do
        if [ -x "$dir/etcd" ] && version=$(version_of "$dir/etcd"); then echo "$version"; fi
    done | pick "$want")
    if [ -n "$found" ]; then
        provided="$found $etcd_cache/$found/etcd"
        return
    fi
    if have etcd && version=$(version_of "$(command -v etcd)") && matches "$want" "$version"; then
        provided="$version $(command -v etcd)"
        return
    fi
    say "  none in $etcd_cache, none on PATH"
    return 1
}

# get URL FILE: fails fast when the host cannot be reached.
get() {
    if have curl; then
        curl -fsSL --connect-timeout 5 --speed-limit 10000 --speed-time 20 -o "$2" "$1" 2>"$2.err"
    elif have wget; then
        wget -q --tries=1 --connect-timeout=5 --read-timeout=20 -O "$2" "$1" 2>"$2.err"
    else
        echo 'neither curl nor wget is installed' >"$2.err"
        return 1
    fi
}

from_release() {
    local want=$1 arch tmp version name code=0
    if [ -n "$releases_down" ]; then
        say "  skipped: the release host did not answer before"
        return 1
    fi
    arch=$(etcd_arch) || {
        say "  no official release for $(uname -m)"
        return 1
    }
    tmp=$(mktemp -d "$work/try.XXXXXX")
    if ! get "$RELEASES_API?per_page=100" "$tmp/list"; then
        say "  list of releases: $(head -n 1 "$tmp/list.err")"
        releases_down=yes
        return 1
    fi
    version=$(sed -n 's/.*"tag_name": *"v\([0-9]*\.[0-9]*\.[0-9]*\)".*/\1/p' "$tmp/list" | pick "$want")
    # The list is the newest hundred; an exact version may be older than that.
    if [ -z "$version" ]; then version=$want; fi
    name=etcd-v$version-linux-$arch
    if ! get "$RELEASES/download/v$version/$name.tar.gz" "$tmp/$name.tar.gz"; then
        say "  $name.tar.gz: $(head -n 1 "$tmp/$name.tar.gz.err")"
        code=1
    elif ! get "$RELEASES/download/v$version/SHA256SUMS" "$tmp/SHA256SUMS"; then
        say "  SHA256SUMS of $version: $(head -n 1 "$tmp/SHA256SUMS.err")"
        code=1
    elif ! (cd "$tmp" && grep " $name.tar.gz\$" SHA256SUMS | sha256sum -c --quiet - >&2); then
        say "  $name.tar.gz does not have the published checksum: refused"
        code=1
    elif ! tar -xzf "$tmp/$name.tar.gz" -C "$tmp" ||
        ! keep "$version" "$tmp/$name/etcd" "$tmp/$name/etcdctl"; then
        code=1
    fi
    return "$code"
}

# etcd's own go.mod has replace directives, so `go install MODULE@VERSION` refuses it: a module of one line
# that requires it does not inherit them.
from_go() {
    local want=$1 version tmp code=0
    have go || {
        say "  Go is not installed"
        return 1
    }
    case $want in
        3.4 | 3.4.*)
            say "  etcd 3.4 is not a separate Go module"
            return 1
            ;;
    esac
    tmp=$(mktemp -d "$work/try.XXXXXX")
    version=$(cd "$tmp" && timeout 60 go list -m -versions "$GO_MODULE" 2>"$tmp/err" |
        tr ' ' '\n' | sed -n 's/^v\([0-9]*\.[0-9]*\.[0-9]*\)$/\1/p' | pick "$want") || true
    if [ -z "$version" ]; then
        say "  $GO_MODULE has no version $want $(head -n 1 "$tmp/err")"
        return 1
    fi
    say "  building $GO_MODULE v$version with $(go env GOVERSION) (a minute or two)"
    printf 'module etcdmark/etcd-binary\n\ngo 1.21\n' >"$tmp/go.mod"
    printf 'package main\n\nimport (\n\t"os"\n\n\t"%s/etcdmain"\n)\n\nfunc main() { etcdmain.Main(%s) }\n' \
        "$GO_MODULE" 'os.Args' >"$tmp/main.go"
    if ! (cd "$tmp" && export CGO_ENABLED=0 GOFLAGS=-mod=mod GOWORK=off &&
        timeout 600 nice go get "$GO_MODULE/etcdmain@v$version" &&
        timeout 1200 nice go build -buildvcs=false -trimpath -o etcd .) >"$tmp/log" 2>&1; then
        say "  go build failed: $(tail -n 3 "$tmp/log" | tr '\n' ' ')"
        code=1
    elif ! keep "$version" "$tmp/etcd"; then
        code=1
    fi
    return "$code"
}

from_distribution() {
    local want=$1 apt=$work/apt suites packaged version tmp code=0
    if [ -z "$apt_ready" ]; then
        suites=$DEBIAN_SUITES
        if [ "$(. /etc/os-release 2>/dev/null && echo "${ID:-}")" = ubuntu ]; then suites=$UBUNTU_SUITES; fi
        # shellcheck disable=SC2086 # a list
        if private_apt "$apt" $suites; then apt_ready=yes; else apt_ready=no; fi
    fi
    if [ "$apt_ready" = no ]; then
        say "  cannot look up packages this way"
        return 1
    fi
    # 3.4.23+ds1-4+b2 → 3.4.23
    packaged=$(APT_CONFIG=$apt/apt.conf apt-cache madison etcd-server | awk '{ print $3 }')
    version=$(printf '%s\n' "$packaged" | sed 's/[^0-9.].*//' | pick "$want")
    if [ -z "$version" ]; then
        say "  packaged versions: $(printf '%s\n' "$packaged" | sort -uV | tr '\n' ' ')"
        return 1
    fi
    packaged=$(printf '%s\n' "$packaged" | awk -v v="$version" 'index($0, v) == 1 && substr($0, length(v) + 1, 1) !~ /[0-9.]/ { print; exit }')
    tmp=$(mktemp -d "$work/try.XXXXXX")
    if ! extract_deb "$apt" etcd-server "$packaged" "$tmp" || ! keep "$version" "$tmp/usr/bin/etcd"; then code=1; fi
    return "$code"
}

provide() {
    local want=$1 way
    for way in here release go distribution; do
        say "etcd $want: trying from_$way"
        if "from_$way" "$want"; then
            say "etcd $want: ${provided#* } (${provided%% *})"
            return 0
        fi
    done
    say "etcd $want: cannot be provided on this machine"
    return 1
}

[ $# -gt 0 ] || {
    usage
    exit 2
}
wanted=()
for want in "$@"; do
    want=${want#v}
    if [ "$want" = newest ]; then want=$NEWEST_SERIES; fi
    if ! [[ $want =~ ^[0-9]+\.[0-9]+(\.[0-9]+)?$ ]]; then
        say "error: '$want' is not a version: write 3.5.16, 3.5 or newest"
        usage
        exit 2
    fi
    wanted+=("$want")
done
failed=0
for want in "${wanted[@]}"; do
    provided=
    if provide "$want"; then echo "$provided"; else failed=1; fi
done
exit "$failed"
