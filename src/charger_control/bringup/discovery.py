"""Who on the network may find and command a charger: nobody but this machine, unless told so."""

from __future__ import annotations

import os

from charger_control.ros.parameters import ParameterError

RANGE = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
"""ROS 2's own variable; left alone it means SUBNET, where every host may call set_limits."""
DEFAULT = 'LOCALHOST'
RANGES = {
    'LOCALHOST': 'only this machine sees it',
    'SUBNET': 'EVERY host of the network can see and command it',
    'OFF': 'nobody sees it, not even its own processes each other',
    'SYSTEM_DEFAULT': 'as the DDS configuration of this machine says',
}


def set_range(asked: str = '') -> str:
    """Sets how far the processes of this one, and itself, are found.

    Args:
        asked: of a command line; '': as the environment says, else LOCALHOST.

    Returns:
        The range and what it means, in one line.

    Raises:
        ParameterError: there is no such range.
    """
    source = '--discovery-range' if asked else RANGE
    chosen = (asked or os.environ.get(RANGE) or DEFAULT).upper().replace('-', '_')
    if chosen not in RANGES:
        raise ParameterError(f'{source} = {asked or os.environ.get(RANGE)} (allowed: '
                             f'{", ".join(RANGES)})')
    os.environ[RANGE] = chosen
    peers = os.environ.get('ROS_STATIC_PEERS', '')
    if os.environ.get('ROS_LOCALHOST_ONLY') == '1':   # which overrules the range
        chosen, peers = 'LOCALHOST', ''
    beside = f', and {peers} (ROS_STATIC_PEERS)' if peers and chosen != 'OFF' else ''
    return f'discovery range {chosen}: {RANGES[chosen]}{beside}'
