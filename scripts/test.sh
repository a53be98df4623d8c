#!/usr/bin/env bash
# The tests, or the named parts of them: lint unit sanity integration molecule. Two are apart: `vm`, which is all that takes virtual machines beyond
# one scenario of molecule, hours where they are emulated, and `bench`, which measures, and judges nothing.
# All parts run, whatever becomes of the others; the last lines say which failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH=$PWD/.venv/bin:$PATH:/usr/sbin:/sbin
# The Python of the virtual environment, for the modules that run on the controller.
python=.venv/bin/python

lint() {
    each "ruff check ." mypy "shellcheck -x scripts/*.sh .ci/run" "ansible-lint --nocolor" "antsibull-changelog lint"
}

unit() {
    $python -m pytest -n 2 --durations=5 tests/unit
}

sanity() {
    scripts/sanity.sh .venv/bin
}

integration() {
    # What has daemons and namespaces of its own, two at a time; then what counts each packet, and what brings up labs and fills the machine by itself.
    each "$python -m pytest -n 2 --dist loadfile --durations=15 tests/integration $(ignore fabric lab live)" \
        "$python -m pytest -n 2 --durations=5 tests/agreement" \
        "$python -m pytest --durations=5 tests/conformance tests/integration/live" \
        "$python -m pytest --durations=15 -m 'not vm' tests/integration/lab tests/integration/fabric"
}

ignore() {
    printf -- '--ignore=tests/integration/%s ' "$@"
}

molecule() {
    each "molecule test -s default" "molecule test -s vm-debian12"
}

vm() {
    each "$python -m pytest --durations=15 -m vm tests/integration/lab tests/integration/fabric" \
        "molecule test -s vm-debian13" "molecule test -s vm-testing"
}

bench() {
    for program in tests/bench/*.py tests/bench/dataplane; do
        $python "$program" || return
    done
}

# Runs every command, and fails if one did.
each() {
    local command status=0
    for command in "$@"; do
        echo "-- $command"
        bash -c "$command" || status=1
    done
    return "$status"
}

run() {
    case $1 in
        lint) lint ;;
        unit) unit ;;
        sanity) sanity ;;
        integration) integration ;;
        molecule) molecule ;;
        vm) vm ;;
        bench) bench ;;
        *) echo "scripts/test.sh: no part is called $1; there are lint, unit, sanity, integration, molecule, vm and bench" >&2; return 2 ;;
    esac
}

if [ $# -eq 0 ]; then set -- lint unit sanity integration molecule; fi
summary=()
failed=0
for part in "$@"; do
    echo "== $part"
    began=$SECONDS
    if run "$part"; then result=passed; else result=FAILED failed=1; fi
    summary+=("$(printf '%-11s %s in %d min %02d s' "$part" "$result" $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60)))")
done
echo "== summary"
printf '%s\n' "${summary[@]}"
exit "$failed"
