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
    have apt-get && have dpkg-deb || {
        say "  no apt-get or dpkg-deb on this machine"
        return 1
    }
    id=$(. /etc/os-release && echo "${ID:-}")
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
    case $id in
        debian) components=main ;;
        ubuntu) components='main universe' ;;
        *)
            say "  know no suites of the distribution '$id'"
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
