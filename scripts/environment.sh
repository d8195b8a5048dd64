# Makes .venv beside setup.cfg; sourced by scripts/demo and scripts/test, which call `environment demo` or `environment test`.
#
# PYTHON names the python to use (default: python3). The file .venv/.stamp is written last and says what the environment
# was made from, so one that was interrupted, copied from elsewhere or made by another python is made again.

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
VENV="$ROOT/.venv"
PYTHON=${PYTHON:-python3}
unset ${!SWARMAGE_@} PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV

say() { printf '== %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

environment() {
    local purpose=$1 what=. extra=() began=$SECONDS
    if [ "$purpose" = test ]; then what='.[test,images]' extra=(--editable); fi
    check_python
    local wanted; wanted=$(stamp "$purpose")
    # what was installed for the tests runs the demo as well: it is the same code, read from the same folder
    if usable && grep -qxF -e "$wanted" -e "$(stamp test)" "$VENV/.stamp" 2>/dev/null; then return; fi
    usable || make_venv
    say "installing $what into .venv (the first time it takes a minute or two)"
    rm -rf -- "$VENV/.stamp" "$ROOT/build/lib" # setuptools packs what an earlier build left there
    (cd -- "$ROOT" && "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off \
        "${extra[@]}" "$what") 2>&1 | tee "$VENV/pip.log" | pip_lines ||
        fail "pip could not install $what; the last lines of $VENV/pip.log:"$'\n'"$(tail -n 15 "$VENV/pip.log")"
    printf '%s\n' "$wanted" >"$VENV/.stamp"
    say "set up in $((SECONDS - began)) s"
}

check_python() {
    command -v "$PYTHON" >/dev/null || fail "$PYTHON is not there; on Debian: apt-get install python3 python3-venv"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$PYTHON" --version) is too old: swarmage needs 3.11 or later; name another one with PYTHON=..."
}

# The environment as one line: what it is for, where it is, which python, and what it was made from.
stamp() {
    PURPOSE=$1 ROOT=$ROOT "$PYTHON" - <<'PYTHON'
import hashlib, os, pathlib, sys

root, purpose = pathlib.Path(os.environ["ROOT"]), os.environ["PURPOSE"]
made_from = [root / "setup.cfg", root / "pyproject.toml"]
if purpose == "demo":  # a copy of the code is installed: another code, another environment
    made_from += sorted((root / "swarmage").rglob("*.py"))
digest = hashlib.sha256()
for path in made_from:
    content = path.read_bytes()
    digest.update(f"{path.relative_to(root)} {len(content)}\n".encode() + content)
print(purpose, digest.hexdigest(), sys.version.split()[0], os.path.realpath(sys.executable), ascii(str(root)))
PYTHON
}

# Whether .venv holds a python that runs, is the wanted one, has pip, and was not copied or moved from elsewhere.
usable() {
    [ -x "$VENV/bin/python" ] && grep -qF -- "$VENV/bin/python" "$VENV/bin/pip" 2>/dev/null || return 1
    local ask='import os, sys, pip; print(sys.version, os.path.realpath(sys.base_prefix), sys.prefix)'
    local want='import os, sys; print(sys.version, os.path.realpath(sys.base_prefix), sys.argv[1])'
    [ "$("$VENV/bin/python" -c "$ask" 2>/dev/null)" = "$("$PYTHON" -c "$want" "$VENV")" ]
}

make_venv() {
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || install_venv
    if [ -d "$VENV" ]; then say "making .venv again with $("$PYTHON" --version)"; else say "making .venv with $("$PYTHON" --version)"; fi
    "$PYTHON" -m venv --clear "$VENV" || fail "$PYTHON -m venv could not make $VENV"
}

install_venv() {
    apt_install python3-venv || fail "$PYTHON has no venv module; $WHY_NOT"
    "$PYTHON" -c 'import ensurepip, venv' || fail "$PYTHON still has no venv module; name another one with PYTHON=..."
}

# Installs Debian packages, if we may; if not, WHY_NOT says what to do.
apt_install() {
    local sudo=() install=(apt-get install --yes --no-install-recommends "$@")
    WHY_NOT="install it with your system's package manager"
    command -v apt-get >/dev/null || return 1
    WHY_NOT="run: sudo ${install[*]}"
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        sudo=(sudo -n)
    fi
    say "installing: $*"
    local quiet=(env DEBIAN_FRONTEND=noninteractive) log
    log=$("${sudo[@]}" "${quiet[@]}" apt-get update -qq 2>&1 &&
        "${sudo[@]}" "${quiet[@]}" "${install[@]}" -qq -o DPkg::Lock::Timeout=60 2>&1) ||
        fail "this did not work: ${sudo[*]} ${install[*]}"$'\n'"$log"
}

# What pip is at, one short line each; all it says is in .venv/pip.log.
pip_lines() {
    sed -u -n -E -e 's/^(Collecting [^ ]+).*/   \1/p' -e 's/^Processing .*\/([^/]+\.whl).*/   Collecting \1/p' \
        -e 's/^(Building wheels|Building editable|Installing collected packages).*/   \1/p'
}
