#!/bin/sh
# Makes .venv, in which everything of Sluice runs on the controller. Usage: scripts/setup.sh [test]
# Fast when there is nothing to do; safe to interrupt and run again.
set -eu
cd "$(dirname "$0")/.."
extra=${1:-}

packages=""
need() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
need ip iproute2
need ssh openssh-client
need git git
if [ "$extra" = test ]; then
    need ovs-vswitchd openvswitch-switch
    need nft nftables
    need ethtool ethtool
    need ping iputils-ping
    need tcpdump tcpdump
    need shellcheck shellcheck
fi

python=""
for candidate in python3.13 python3.12 python3.11 python3 "${PYENV_ROOT:-/nonexistent}"/versions/3.1[123].*/bin/python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || packages="$packages python3"
"${python:-python3}" -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"

if [ -n "$packages" ]; then
    echo "Installing$packages"
    # Services of packages that only the tests use have no business on the controller: policy-rc.d keeps them from being started.
    policy=/usr/sbin/policy-rc.d
    made=""
    if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod 755 "$policy"; made=yes; fi
    trap '[ -z "$made" ] || rm -f "$policy"' EXIT
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
    python=${python:-python3}
fi

wanted=$(cat pyproject.toml scripts/setup.sh | cksum)
for part in base $extra; do
    stamp=.venv/.sluice-$part
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        [ -x .venv/bin/python ] || "$python" -m venv .venv
        echo "Installing Python packages into .venv ($part)"
        if [ "$part" = base ]; then .venv/bin/pip install -q -e .; else .venv/bin/pip install -q -e ".[$part]"; fi
        echo "$wanted" > "$stamp"
    fi
done
