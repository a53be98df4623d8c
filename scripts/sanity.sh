#!/usr/bin/env bash
# ansible-test's sanity tests. Usage: scripts/sanity.sh BIN [OPTION]... where BIN is the bin folder of an environment with ansible-core.
set -euo pipefail
root=$(realpath "$(dirname "$0")/..")
bin=$(realpath -s "$1")
shift
export PATH=$bin:$PATH

# ansible-test downloads a script that installs pip, unless its cache has one; the host is not reachable from behind a mirror of PyPI.
cache=$HOME/.ansible/test/cache
script=$cache/get_pip_$("$bin/python" - <<'PYTHON'
import sys
from types import SimpleNamespace
from ansible_test._internal.python_requirements import get_venv_packages
print(get_venv_packages(SimpleNamespace(version="%d.%d" % sys.version_info[:2]))["pip"].replace(".", "_"))
PYTHON
).py
mkdir -p "$cache"
cp "$root/tests/sanity/get_pip.py" "$script"

# It wants the collection at .../ansible_collections/sluice/fabric, in a repository of its own.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
collection=$folder/ansible_collections/sluice/fabric
mkdir -p "$collection"
cd "$root"
kept=()
for path in galaxy.yml README.md LICENSE meta plugins roles playbooks changelogs tests/config.yml tests/sanity; do
    [ ! -e "$path" ] || kept+=("$path")
done
tar -c --exclude=__pycache__ "${kept[@]}" | tar -x -C "$collection"
cd "$collection"
git init -q .
git add -A
version=$("$bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$bin/ansible-test" sanity --python "$version" --color yes "$@"
