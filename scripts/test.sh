#!/usr/bin/env bash
# The tests, or the named part of them: lint sanity unit integration molecule. `bench` is apart: it measures, and judges nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.venv/bin:$PATH
# The Python of the virtual environment, for the modules that run on the controller.
python=.venv/bin/python

lint() {
    ruff check .
    mypy
    shellcheck -x scripts/*.sh .ci/run
    ansible-lint
    antsibull-changelog lint
}

sanity() {
    # ansible-test wants the collection at .../ansible_collections/sluice/fabric in a repository of its own.
    local root version folder
    root=$PWD
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' RETURN
    version=$($python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    mkdir -p "$folder/ansible_collections/sluice/fabric"
    git ls-files -z --cached --others --exclude-standard -- galaxy.yml README.md LICENSE meta plugins roles playbooks changelogs tests/config.yml tests/sanity |
        xargs -0 tar -c | tar -x -C "$folder/ansible_collections/sluice/fabric"
    offer_pip_bootstrap
    cd "$folder/ansible_collections/sluice/fabric"
    git init -q . && git add -A
    "$root/.venv/bin/ansible-test" sanity --python "$version" --color yes
    cd "$root"
}

# ansible-test downloads a script that installs pip, unless its cache has one; the host is not reachable from behind a mirror of PyPI.
offer_pip_bootstrap() {
    local cache=$HOME/.ansible/test/cache version
    version=$($python - <<'PYTHON'
import sys
from types import SimpleNamespace
from ansible_test._internal.python_requirements import get_venv_packages
print(get_venv_packages(SimpleNamespace(version="%d.%d" % sys.version_info[:2]))["pip"])
PYTHON
    )
    mkdir -p "$cache"
    [ -e "$cache/get_pip_${version//./_}.py" ] || cp tests/sanity/get_pip.py "$cache/get_pip_${version//./_}.py"
}

unit() { $python -m pytest -n 2 tests/unit; }
integration() { $python -m pytest tests/integration; }
molecule() { command molecule test -s default; }
bench() { for file in tests/bench/*.py; do $python "$file"; done; }

for part in "${@:-lint unit sanity integration molecule}"; do
    for name in $part; do
        echo "== $name"
        "$name"
    done
done
