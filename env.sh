# shellcheck shell=sh
# source env.sh: the built environment, with `charger` on the PATH. For bash and zsh.
if [ -n "${BASH_VERSION-}" ]; then _charger_self=${BASH_SOURCE[0]}; else _charger_self=$0; fi
_charger_root=$(cd "$(dirname "$_charger_self")" && pwd)
if [ ! -f "$_charger_root/install/local_setup.sh" ]; then
  echo "env.sh: nothing is built yet in $_charger_root. Run: make setup" >&2
else
  _charger_venv=$_charger_root/.venv
  if [ ! -f "$_charger_venv/stamps/ros" ] && [ -z "${AMENT_PREFIX_PATH-}" ]; then
    echo "env.sh: this was built on a ROS 2 underlay; source that first (e.g. /opt/ros/jazzy/setup.bash)" >&2
  fi
  if [ -f "$_charger_venv/stamps/ros" ]; then   # ROS 2 from wheels: the venv is the underlay
    export AMENT_PREFIX_PATH="$_charger_venv" CMAKE_PREFIX_PATH="$_charger_venv" ROS_DISTRO=jazzy
  fi
  export PATH="$_charger_venv/bin:$PATH"
  COLCON_CURRENT_PREFIX="$_charger_root/install"
  . "$_charger_root/install/local_setup.sh"
  unset COLCON_CURRENT_PREFIX
  # a charger that anybody on the network can command is not a default
  export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
fi
unset _charger_self _charger_root _charger_venv
