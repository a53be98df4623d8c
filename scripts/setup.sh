#!/bin/sh
# Makes .venv, in which everything of Sluice runs on the controller. Usage: scripts/setup.sh [test|bench]
# Fast when there is nothing to do; safe to interrupt and run again.
set -eu
cd "$(dirname "$0")/.."
extra=${1:-}
# Where a login shell of root looks; that of a CI runner may not.
PATH=$PATH:/usr/sbin:/sbin

packages=""
need() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
need ip iproute2
need ssh openssh-client
if [ "$extra" = bench ]; then
    # Beside what the tests need, what benches compare with.
    extra="test"
    need ovn-northd ovn-central
    need ovn-controller ovn-host
    need iptables-restore iptables
    need wg wireguard-tools
    need wireguard-go wireguard-go
fi
if [ "$extra" = test ]; then
    need git git
    need shellcheck shellcheck
    # What tests use of the machine itself.
    need ovs-vswitchd openvswitch-switch
    need nft nftables
    need sshd openssh-server
    need ethtool ethtool
    need ping iputils-ping
    need sysctl procps
    need tcpdump tcpdump
    # What labs are made with, which playbooks/lab_up.yml else installs.
    need apt-ftparchive apt-utils
    need mmdebstrap mmdebstrap
    need nc netcat-openbsd
    need systemd-nspawn systemd-container
    need mke2fs e2fsprogs
    need qemu-img qemu-utils
    need qemu-system-x86_64 qemu-system-x86
    # Modules in tests run under the distribution's Python, as on nodes.
    /usr/bin/python3 -c 'import ovs, yaml' 2>/dev/null || packages="$packages python3-openvswitch python3-yaml"
fi

# The newest Python that ansible-core supports and that can make an environment; without one, the distribution's own gets what it lacks.
python=""
for minor in 14 13 12 11; do
    for candidate in "python3.$minor" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor".*/bin/python3; do
        [ -z "$python" ] || break
        if "$candidate" -c "import sys, ensurepip, venv; sys.exit(sys.version_info[:2] != (3, $minor))" 2>/dev/null; then python=$candidate; fi
    done
done
[ -n "$python" ] || packages="$packages python3 python3-venv"

if [ -n "$packages" ]; then
    echo "Installing$packages"
    command -v apt-get >/dev/null || { echo "scripts/setup.sh: there is no apt-get here; install what these Debian packages hold, and run again:$packages" >&2; exit 1; }
    [ "$(id -u)" = 0 ] || { echo "scripts/setup.sh: only root can install packages; run this as root: apt-get install$packages" >&2; exit 1; }
    # Services of packages that only the tests use have no business on the controller: policy-rc.d keeps them from being started.
    policy=/usr/sbin/policy-rc.d
    made=""
    trap '[ -z "$made" ] || rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    if [ ! -e "$policy" ] || grep -q scripts/setup.sh "$policy"; then
        made=yes
        printf '#!/bin/sh\n# Made by scripts/setup.sh, while it installs packages.\nexit 101\n' > "$policy"
        chmod 755 "$policy"
    fi
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
fi
if [ -z "$python" ]; then
    python=/usr/bin/python3
    "$python" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || { echo "scripts/setup.sh: Sluice needs Python 3.11 or newer on the controller" >&2; exit 1; }
fi

wanted=$(cat pyproject.toml scripts/setup.sh | cksum)
stamp=.venv/.sluice-${extra:-base}
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    # One that was interrupted, or whose Python is gone, is made anew.
    .venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
    what=.${extra:+"[$extra]"}
    echo "Installing Sluice and the Python packages that it needs into .venv${extra:+, and those of its tests}"
    .venv/bin/python -m pip install -q --disable-pip-version-check -e "$what"
    echo "$wanted" > .venv/.sluice-base
    echo "$wanted" > "$stamp"
fi
