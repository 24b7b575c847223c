"""Serial lines: `python bench/serial.py [--json FILE] [--seconds N] [--frames N] [--minute]`.

Every meter that can be simulated is read as fast as its driver goes, over a pty that is paced to
the speed of the line: readings per second, and their share of what the bytes and the silences that
the device demands leave possible. Then a lower offer to an EVSE-DIN, alone on its line and beside a
meter that is read without a pause: the time to the board, and what the meter adds. Then random and
mutated frames through the protocols of boards and meters. `--minute` pulls the cable of a charging
board for 60 s as well, on each board.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
# at the end: a file of this folder is called serial, as the package that opens ports is
sys.path[:] = [path for path in sys.path if Path(path or '.').resolve() != _HERE]
sys.path += [str(_HERE), str(_HERE.parent / 'test' / 'drivers')]

import serial_fuzz_boards  # noqa: E402
import serial_fuzz_meters  # noqa: E402
from board_bench import BOARDS, board  # noqa: E402

from charger_control.drivers import registry  # noqa: E402
from charger_control.drivers.codecs import register_table  # noqa: E402
from charger_control.drivers.lines.modbus_frames import read_answer_length  # noqa: E402
from charger_control.drivers.lines.port import SerialSettings  # noqa: E402
from charger_control.drivers.meters.registers import highest_rate  # noqa: E402
from charger_control.sim.charge_point.charge_point import METERS, ChargePointParameters  # noqa: E402
from charger_control.sim.charge_point.scenario import Scenario  # noqa: E402
from charger_control.sim.charge_point.simulator import SimulatorOptions, running  # noqa: E402

BAUDRATES = (9600, 19200, 115200)
FASTEST = 50.0
"""Hz that is asked of a meter: more than any line allows."""
COMMANDS = 60


def charge_point(meter: str = 'sdm630', baudrate: int = 9600, unit: int = 2) -> Any:
    return ChargePointParameters(scenario=dataclasses.replace(Scenario(), steps=()),
                                 baudrate=baudrate, answer_delay=0.0, meter_model=meter,
                                 meter_unit=unit)


def meter_rate(name: str, baudrate: int, seconds: float, link: Path) -> tuple[float, float]:
    """Readings/s reached, and the most that is possible."""
    table = register_table.load(name)
    settings = SerialSettings(baudrate, 'N', 1)
    most = highest_rate(table, settings)    # what the device refreshes slower is read again
    with running(SimulatorOptions(link=link, charge_point=charge_point(name, baudrate))):
        meter = registry.open_meter(
            {'driver': name, 'port': str(link), 'baudrate': baudrate, 'parity': 'N', 'stopbits': 1,
             'unit': 2}, registry.Buses())
        meter._period = 1.0 / FASTEST
        meter.start()
        try:
            until(lambda: meter.latest().value is not None and not meter.latest().error)
            time.sleep(0.5)
            readings, last = 0, meter.latest().at
            start = first = last
            while last - start < seconds:
                at = meter.latest().at
                if at != last:
                    readings, last = readings + 1, at
                time.sleep(0.001)
            return readings / (last - first), most
        finally:
            meter.close()


def until(condition: Any, timeout: float = 20.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f'not within {timeout:g} s')
        time.sleep(0.002)


def command_times(link: Path, beside_meter: bool) -> list[float]:
    """s from ``offer`` of less until the board has it, once each; 9600 bit/s."""
    rng = random.Random(5)
    times = []
    with running(SimulatorOptions(link=link, charge_point=charge_point())) as simulator:
        heard: dict[float, float] = {}

        def listen(event: dict[str, Any]) -> None:
            if event['event'] == 'write' and event.get('name') == 'set_current':
                heard.setdefault(event['amperage'], event['t'])

        simulator.log.listen(listen)
        buses = registry.Buses()
        pilot = registry.open_pilot({'driver': 'evse_din', 'port': str(link)}, buses)
        pilot.start()
        if beside_meter:
            meter = registry.open_meter({'driver': 'sdm630', 'port': str(link), 'unit': 2,
                                         'rate': 20.0}, buses)
            meter.start()
        amperage = [0.0]
        ended = threading.Event()

        def feed() -> None:
            while not ended.wait(0.1):
                pilot.offer(amperage[0])

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        simulator.do('plug_in', vehicle='ideal', cable=32)
        until(lambda: pilot.latest().value is not None and not pilot.latest().error)
        for _ in range(COMMANDS):
            amperage[0] = 16.0
            until(lambda: simulator.charge_point.board.set_amperage == 16.0)
            time.sleep(rng.uniform(0.3, 0.6))
            heard.clear()
            at = time.clock_gettime(time.CLOCK_BOOTTIME)
            amperage[0] = 10.0
            pilot.offer(10.0)
            until(lambda: 10.0 in heard)
            times.append(heard[10.0] - at)
        ended.set()
        feeder.join()
        pilot.close()
        if beside_meter:
            meter.close()
    return sorted(times)


def shared_bus(link: Path) -> dict[str, float]:
    alone, shared = command_times(link, False), command_times(link, True)
    table = register_table.load('sdm630')
    longest = max(8 + read_answer_length(block.count) + 7 for block in table.blocks)
    middle, tail = COMMANDS // 2, int(COMMANDS * 0.95)
    return {'shared_bus.command_alone_ms': 1000 * alone[middle],
            'shared_bus.command_ms': 1000 * shared[middle],
            'shared_bus.command_alone_p95_ms': 1000 * alone[tail],
            'shared_bus.command_p95_ms': 1000 * shared[tail],
            'shared_bus.command_added_ms': 1000 * max(
                shared[middle] - alone[middle], shared[tail] - alone[tail]),
            'shared_bus.transaction_ms': 1000 * longest * SerialSettings(9600).character_time}


def fuzz(frames: int) -> dict[str, float]:
    results: dict[str, dict[str, float]] = {}
    for name, one in serial_fuzz_boards.PROTOCOLS.items():
        outcome = one(frames)
        results[f'board_{name}'] = {
            'frames': outcome.frames, 'wrong_accepted': outcome.wrong, 'crashes': outcome.crashes,
            'hangs': outcome.hangs, 'uncounted': outcome.uncounted}
    for name, result in serial_fuzz_meters.fuzz(frames).items():
        results[f'meter_{name}'] = {str(key): value for key, value in result.items()}
    figures: dict[str, float] = {}
    for name, result in results.items():
        print(f'  {name:22}', ', '.join(f'{value:g} {key}' for key, value in result.items()))
        for key in ('frames', 'wrong_accepted', 'crashes', 'hangs', 'uncounted'):
            figures[f'fuzz.{key}'] = figures.get(f'fuzz.{key}', 0) + result[key]
    return figures


def unplugged(driver: str, link: Path, seconds: float) -> float:
    """A charging board whose cable is pulled: s until its offer is back."""
    with board(driver, link) as b:
        b.charge(10.0)
        b.simulator.do('cable_out', **{'for': seconds})
        b.until(lambda: b.sample.error)
        at, value = b.sample.at, b.sample.value
        end = time.monotonic() + seconds - 1.0
        while time.monotonic() < end:
            if (b.sample.at, b.sample.value) != (at, value) or not b.sample.error:
                raise SystemExit(f'{driver}: a value from an unplugged board: {b.sample}')
            time.sleep(0.05)
        until(lambda: b.simulator.port.connected)
        back = time.monotonic()
        b.until(lambda: b.offered == 10.0 and not b.sample.error
                and b.sample.value.signaled_amperage == 10.0, 20.0)
        if b.count('reconnects') != 1:
            raise SystemExit(f'{driver}: {b.sample.counters}')
        return time.monotonic() - back


def minute(folder: Path, seconds: float = 60.0) -> dict[str, float]:
    with ThreadPoolExecutor() as pool:
        waits = {driver: pool.submit(unplugged, driver, folder / driver, seconds)
                 for driver in BOARDS}
        return {f'unplugged_60s.{driver}.back_s': wait.result() for driver, wait in waits.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=Path)
    parser.add_argument('--seconds', type=float, default=3.0, help='for each meter and speed')
    parser.add_argument('--frames', type=int, default=100_000, help='of each protocol')
    parser.add_argument('--minute', action='store_true')
    parser.add_argument('--only', choices=('rates', 'bus', 'fuzz', 'minute'))
    given = parser.parse_args()
    figures: dict[str, float] = {}
    print(f'load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores')
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, 'line')
        for name in METERS if given.only in (None, 'rates') else ():
            for baudrate in BAUDRATES:
                rate, most = meter_rate(name, baudrate, given.seconds, link)
                print(f'  {name:10} {baudrate:6}: {rate:6.2f} of {most:6.2f} readings/s, '
                      f'{rate / most:4.0%}', flush=True)
                figures[f'{name}.{baudrate}.rate_hz'] = rate
                figures[f'{name}.{baudrate}.share_of_line'] = rate / most
        if given.only in (None, 'bus'):
            figures |= shared_bus(link)
        if given.minute or given.only == 'minute':
            figures |= minute(Path(folder))
    if given.only in (None, 'fuzz'):
        figures |= fuzz(given.frames)
    for name, value in figures.items():
        if not name.endswith(('rate_hz', 'share_of_line')):
            print(f'  {name}: {value:.4g}')
    print(f'load {os.getloadavg()[0]:.1f}')
    if given.json:
        given.json.write_text(json.dumps({k: round(v, 4) for k, v in figures.items()}, indent=1))


if __name__ == '__main__':
    main()
