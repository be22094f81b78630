# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034
# needs: Debian packages that a script needs; sourced by quickstart and run-tests.
#
#   need_packages PACKAGE...    installs those that are missing, or says in one sentence
#                               why it cannot, and exits 69

BUILD_PACKAGES="autoconf autoconf-archive automake gcc libc6-dev libglib2.0-dev
libgmime-3.0-dev libicu-dev libjansson-dev libmicrohttpd-dev libmilter-dev libpq-dev libsodium-dev
libsqlite3-dev libtool make pkg-config"
MTA_PACKAGES="postfix python3 swaks"
TEST_PACKAGES="chromium chromium-driver clang-format libwrap0 miltertest opendkim pgbouncer postgresql
postgresql-15-plproxy python3-dkim"

say() {
    printf '%s\n' "$*" >&2
}

cannot() {
    say "${0##*/}: $*"
    exit 69
}

# Sets SUDO to what makes a command run as root: nothing, or sudo.
need_root() {
    SUDO=
    [ "$(id -u)" -eq 0 ] && return
    command -v sudo >/dev/null || cannot "$1, and you are not root and have no sudo"
    SUDO=sudo
}

missing_packages() {
    for package; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

# Debian has one mail-transport-agent at a time: installing Postfix would take exim away.
refuse_removals() {
    removed=$(LC_ALL=C apt-get -s -q --no-install-recommends install "$@" 2>/dev/null |
        sed -n 's/^Remv \([^ ]*\).*/\1/p' | tr '\n' ' ')
    [ -z "$removed" ] ||
        cannot "installing $* would remove $removed- remove it yourself if you mean to"
}

# Runs apt-get install so that no service is started by it: a Postfix that comes as a need
# must not begin to listen on port 25.  "No configuration" leaves it without a main.cf, without
# which its service does not start; the policy is for a main.cf that an earlier one left.
install_quietly() {
    policy=/usr/sbin/policy-rc.d
    guard=
    if [ ! -e "$policy" ]; then
        guard=$policy
        printf '#!/bin/sh\nexit 101\n' | $SUDO tee "$policy" >/dev/null
        $SUDO chmod 755 "$policy"
        trap '$SUDO rm -f "$guard"; exit 130' HUP INT TERM
    fi
    status=0
    # The tests start servers of their own: no cluster that would start with the machine.
    clusters=/etc/postgresql-common/createcluster.conf
    case " $* " in
    *" postgresql "*)
        [ -e "$clusters" ] || {
            $SUDO mkdir -p "${clusters%/*}"
            echo 'create_main_cluster = false' | $SUDO tee "$clusters" >/dev/null
        }
        ;;
    esac
    for package; do
        [ "$package" = postfix ] && command -v debconf-set-selections >/dev/null &&
            echo "postfix postfix/main_mailer_type select No configuration" |
            $SUDO debconf-set-selections
    done
    $SUDO env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        install "$@" </dev/null >&2 || status=$?
    if [ -n "$guard" ]; then
        $SUDO rm -f "$guard"
        trap - HUP INT TERM
    fi
    return "$status"
}

need_packages() {
    command -v dpkg-query >/dev/null || {
        have_commands && return
        cannot "this needs $*; without dpkg and apt-get they have to be installed by hand"
    }
    # shellcheck disable=SC2046,SC2086 # names of packages, split on purpose
    set -- $(missing_packages "$@")
    [ $# -gt 0 ] || return 0
    command -v apt-get >/dev/null || cannot "these packages are missing, and so is apt-get: $*"
    need_root "these packages are missing: $*"
    say "Installing $# packages: $*"
    refuse_removals "$@"
    install_quietly "$@" || {
        $SUDO apt-get -q update </dev/null >&2 ||
            cannot "the package lists could not be fetched; missing: $*"
        refuse_removals "$@"
        install_quietly "$@" || cannot "apt-get could not install: $*"
    }
}

# Other systems than Debian: the programs count, not who packaged them.
have_commands() {
    for command in autoreconf libtoolize cc make pkg-config postfix smtp-sink python3; do
        command -v "$command" >/dev/null || return 1
    done
}

cores() {
    getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1
}

is_newer() {
    [ -n "$(find "$1" -newer "$2" 2>/dev/null)" ]
}

# configure_and_make DIRECTORY [CONFIGURE OPTION...]: below build/, from the source above.
configure_and_make() {
    directory=$1
    shift
    # The daemon refuses plugins that a group or everybody could write.
    umask 022
    is_newer configure configure.ac || ./autogen.sh || return
    mkdir -p "$directory" || return
    (
        cd "$directory" || exit
        is_newer Makefile ../../configure || ../../configure "$@" || exit
        make -j"$(cores)"
    )
}
