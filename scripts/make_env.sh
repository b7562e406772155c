#!/bin/sh
# make_env.sh FOLDER EXTRA: a virtual environment with this project and one extra in it, at the pinned versions.
# Python's own venv and pip come first, because pip knows the package index that this machine is set up for; uv is
# used where there is no Python that can make an environment. Run it in the root of the repository.
set -eu

folder=$1
extra=$2

# A name on the PATH proves little: it may be a shim, too old, or (Debian without python3-venv) lack ensurepip.
can_make_env() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for name in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14 python; do
        if can_make_env "$name"; then
            echo "$name"
            return
        fi
    done
}

explain_and_stop() {
    cat >&2 <<END
No Python that can make an environment was found (>= 3.11 with the modules venv and ensurepip).
What there is: $(python3 --version 2>&1 || true)
Debian, Ubuntu: sudo apt-get install python3-venv      Fedora: sudo dnf install python3
Anywhere: install uv (https://docs.astral.sh/uv), or name a Python: make PYTHON=/path/to/python3.11 env
END
    exit 1
}

install_with_pip() {
    # Without pip it is what an interrupted call left behind.
    "$folder/bin/python" -m pip --version >/dev/null 2>&1 || "$1" -m venv --clear "$folder"
    "$folder/bin/python" -m pip install --quiet --quiet --disable-pip-version-check \
        --constraint constraints.txt --editable ".[dev,$extra]"
}

install_with_uv() {
    [ -x "$folder/bin/python" ] || uv venv --quiet --python '>=3.11' "$folder"
    uv pip install --quiet --python "$folder/bin/python" \
        --constraint constraints.txt --editable ".[dev,$extra]"
}

python=$(find_python)
if [ -z "$python" ] && ! command -v uv >/dev/null; then
    explain_and_stop
fi
echo "Making the environment in $folder (a few minutes, once) ..." >&2
if [ -n "$python" ]; then
    install_with_pip "$python"
else
    install_with_uv
fi
