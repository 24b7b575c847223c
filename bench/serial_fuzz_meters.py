"""Random and mutated frames for the meters' protocols: nothing may crash, hang, or be believed.

``fuzz`` is what bench/serial.py calls; alone: ``python bench/serial_fuzz_meters.py [--frames N]``.
What each protocol promises, and what is therefore mutated:

modbus_rtu, sml: everything. A frame that is wrong in many places passes a CRC of 16 bits once in
65,536; what it says must then be refused by core.FiscalMeter. SML has two CRCs.
d0, d0_push: everything in one readout of three, parity bits included. Without (push) and even with
its block check a readout can be wrong and sound; the median of three must be the truth.
modbus_tcp: TCP protects the bytes, so what is mutated is what devices and gateways do wrong:
headers, lengths, order, parts, other answers; not the values themselves.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import time
import types
from collections.abc import Callable, Sequence
from pathlib import Path

from charger_control.core.fiscal_meter import FiscalMeter, FiscalMeterConfig
from charger_control.core.heard import Heard
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.drivers.codecs.obis import reading_of
from charger_control.drivers.codecs.register_table import load
from charger_control.drivers.codecs.sml import SmlReader
from charger_control.drivers.interfaces import DeviceError
from charger_control.drivers.lines.bus import boottime
from charger_control.drivers.lines.modbus_frames import AnswerReader
from charger_control.drivers.lines.modbus_tcp import ModbusTcpLine
from charger_control.drivers.meters.iec62056_21 import D0Meter
from charger_control.sim.lines.modbus_rtu import frame
from charger_control.sim.meters.d0_meter import D0PushMeter, seven_bits
from charger_control.sim.meters.sml_meter import SmlPushMeter

PLANT = types.SimpleNamespace(voltage=(230.1, 231.2, 229.9), amperage=(10.02, 9.98, 0.03),
                              frequency=50.01, power=4600.5, energy_imported=1234.5678)
SLOW = 1.0
"""s for one frame after which it counts as a hang."""
Result = dict[str, int]


def mutated(rng: random.Random, data: bytes) -> bytes:
    """The frame after something has happened to it."""
    out = bytearray(data)
    kind = rng.randrange(11)
    at = rng.randrange(len(out))
    if kind == 0:
        for _ in range(rng.randint(1, 3)):
            bit = rng.randrange(8 * len(out))
            out[bit // 8] ^= 1 << bit % 8
    elif kind == 1:  # a burst of noise
        end = min(len(out), at + rng.randint(1, 6))
        out[at:end] = rng.randbytes(end - at)
    elif kind == 2:
        del out[at:at + rng.randint(1, 8)]
    elif kind == 3:
        out[at:at] = rng.randbytes(rng.randint(1, 8))
    elif kind == 4:
        del out[at:]
    elif kind == 5:
        del out[:at]
    elif kind == 6:
        out[at:at] = out[rng.randrange(len(out)):][:rng.randint(1, 40)]
    elif kind == 7:
        for _ in range(rng.randint(1, 12)):
            out[rng.randrange(len(out))] = rng.randrange(256)
    elif kind == 8:
        return rng.randbytes(rng.randint(1, 2 * len(data)))
    elif kind == 9:
        end = min(len(out), at + rng.randint(1, 20))
        out[at:end] = bytes((rng.choice((0x00, 0xFF, 0x1B, 0x2F)),)) * (end - at)
    else:  # two bytes change places
        other = rng.randrange(len(out))
        out[at], out[other] = out[other], out[at]
    return bytes(out)


def run(frames: int, seed: int, once: Callable[[random.Random], tuple[int, int]]) -> Result:
    """Counts over so many frames; ``once`` answers wrong values believed, rejections uncounted."""
    rng = random.Random(seed)
    result = {'frames': 0, 'wrong_accepted': 0, 'crashes': 0, 'hangs': 0, 'uncounted': 0}
    for _ in range(frames):
        began = time.monotonic()
        try:
            wrong, uncounted = once(rng)
        except Exception:  # noqa: BLE001 - that is what is looked for
            result['crashes'] += 1
        else:
            result['wrong_accepted'] += wrong
            result['uncounted'] += uncounted
        result['frames'] += 1
        result['hangs'] += time.monotonic() - began > SLOW
    return result


def modbus_rtu(frames: int, seed: int) -> Result:
    """The answer to a read of the SDM630, as the parser of the line takes it."""
    table = load('sdm630')
    block = table.blocks[0]
    values = [230.0, 231.0, 229.0, 10.0, 9.5, 0.5, 2300.0, 2190.0, 110.0]
    data = struct.pack(f'>{len(values)}f', *values)
    good = frame(1, bytes((block.function, len(data))) + data)

    def once(rng: random.Random) -> tuple[int, int]:
        reader = AnswerReader(1, block.function, len(good))
        sent = mutated(rng, good)
        answer = None
        for part in pieces(rng, sent):
            answer = answer or reader.feed(part)
        if answer is None:
            return 0, not reader.verdict()
        if answer[1] & 0x80 or answer == good:
            return 0, 0
        # sound by chance: what is left is what the node believes
        registers = struct.unpack(f'>{block.count}H', answer[3:-2])

        def phases(name: str) -> tuple[float, ...]:
            value = table.values[name]
            return tuple(value.decode(registers[at:at + 2], table.word_order)
                         for at in value.addresses)

        reading = MeterReading(voltage=phases('voltage'), amperage=phases('amperage'),
                               active_power=sum(phases('phase_power')))
        said = FiscalMeter(FiscalMeterConfig()).step(0.0, Heard(reading, 0.0), '')
        return int(said is not None and not said.error), 0

    return run(frames, seed, once)


def pieces(rng: random.Random, data: bytes) -> Sequence[bytes]:
    """The bytes in the portions in which a line may bring them."""
    at = rng.randint(0, len(data))
    return (data[:at], data[at:])


class Told(ModbusTcpLine):
    """A connection that brings what it is told."""

    def __init__(self) -> None:
        super().__init__('fuzz', 502)
        self.coming: list[bytes] = []
        self.answer: Callable[[bytes], list[bytes]] = lambda request: []

    def _send(self, data: bytes) -> None:
        self._buffer = b''  # as after a new connection: frames are judged one by one
        self.coming = self.answer(data)

    def _receive(self, wait: float) -> bool:
        if not self.coming:
            return False
        self._buffer += self.coming.pop(0)
        return True


def modbus_tcp(frames: int, seed: int) -> Result:
    """The answer to a read of ten registers, with every part but the values mutated."""
    values = list(range(100, 110))
    line = Told()

    def answered(rng: random.Random, request: bytes) -> list[bytes]:
        transaction, = struct.unpack('>H', request[:2])
        unit, function, count = 1, 4, len(values)
        payload = struct.pack(f'>{count}H', *values)
        protocol, change, size = 0, rng.randrange(9), len(payload)
        if change == 0:
            transaction = rng.randrange(0x10000)
            payload = rng.randbytes(len(payload)) if transaction != int.from_bytes(
                request[:2], 'big') else payload  # another's answer has other values
        elif change == 1:
            unit, payload = rng.choice([0, 2, 255]), rng.randbytes(len(payload))
        elif change == 2:
            function, payload = rng.choice([1, 2, 3, 6, 16]), rng.randbytes(len(payload))
        elif change == 3:
            payload = rng.randbytes(2 * rng.choice([0, 1, 9, 11, 120]))
            size = len(payload)
        elif change == 4:
            size = rng.choice([0, 2, len(payload) - 1, len(payload) + 2, 255])
        elif change == 5:
            protocol = rng.randrange(1, 0x10000)
        body = bytes((unit, function, size)) + payload
        length = len(body)
        if change == 6:
            length = rng.choice([0, 1, 2, length - 3, length + 5, 300, 0xFFFF])
        sent = struct.pack('>HHH', transaction, protocol, length) + body
        if change == 7:
            sent = sent[:rng.randrange(len(sent))]
        elif change == 8:
            sent = rng.randbytes(rng.randint(1, 60))
        return [part for part in pieces(rng, sent) if part]

    def once(rng: random.Random) -> tuple[int, int]:
        line.answer = lambda request: answered(rng, request)
        line._unanswered = 0
        before = sum(line.counters(1).values())
        try:
            wrong = line.read(1, 4, 0, len(values), 0.0) != values
        except DeviceError:
            return 0, sum(line.counters(1).values()) == before
        return int(wrong), 0

    return run(frames, seed, once)


def sml(frames: int, seed: int) -> Result:
    """A telegram with everything in it, then a good one."""
    good = SmlPushMeter(PLANT).telegram()
    truth = reading_of(SmlReader().feed(good)[0].numbers)
    reader = SmlReader()

    def once(rng: random.Random) -> tuple[int, int]:
        before, sent = sum(reader.counters.values()), mutated(rng, good)
        telegrams = [t for part in pieces(rng, sent + good) for t in reader.feed(part)]
        wrong = sum(repr(reading_of(t.numbers)) != repr(truth) for t in telegrams)
        lost = len(telegrams) < 2 and sent != good and bool(sent.strip(b'\0'))
        return wrong, lost and sum(reader.counters.values()) == before and not reader._buffer

    return run(frames, seed, once)


def d0(frames: int, seed: int, with_bcc: bool = True) -> Result:
    """Readouts with parity bits and block check, every third mutated."""
    source = D0PushMeter(PLANT, with_bcc=with_bcc)
    good = seven_bits(f'{source.identification}\r\n'.encode() + source.data())
    bus = types.SimpleNamespace(clock=boottime, line=types.SimpleNamespace(name='fuzz'))
    meter = D0Meter(bus)  # type: ignore[arg-type]
    for _ in range(4):
        meter._take(good)
    truth = repr(meter.latest().value)
    assert 'nan' not in truth

    def once(rng: random.Random) -> tuple[int, int]:
        wrong, taken, before = 0, 0, sum(meter._rejected().values())
        for sent in (mutated(rng, good), good, good):
            for part in pieces(rng, sent):
                if meter._take(part):
                    taken += 1
                    wrong += repr(meter.latest().value) != truth
        return wrong, not taken and sum(meter._rejected().values()) == before

    return run(frames, seed, once)


def d0_push(frames: int, seed: int) -> Result:
    """The same without a block check."""
    return d0(frames, seed, with_bcc=False)


PROTOCOLS: dict[str, Callable[[int, int], Result]] = {
    'modbus_rtu': modbus_rtu, 'modbus_tcp': modbus_tcp, 'sml': sml, 'd0': d0, 'd0_push': d0_push}


def fuzz(frames_per_protocol: int = 100_000, seed: int = 1) -> dict[str, Result]:
    """frames, wrong_accepted, crashes, hangs and uncounted rejections, by protocol."""
    return {name: protocol(frames_per_protocol, seed) for name, protocol in PROTOCOLS.items()}


def main() -> None:
    """Prints a table; ``--json FILE`` writes flat figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--frames', type=int, default=100_000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--json')
    given = parser.parse_args()
    figures = {}
    print(f'{"protocol":<12}{"frames":>10}{"wrong":>8}{"crashes":>9}{"hangs":>7}{"uncounted":>11}'
          f'{"s":>8}')
    for name, protocol in PROTOCOLS.items():
        began = time.monotonic()
        result = protocol(given.frames, given.seed)
        print(f'{name:<12}{result["frames"]:>10}{result["wrong_accepted"]:>8}'
              f'{result["crashes"]:>9}{result["hangs"]:>7}{result["uncounted"]:>11}'
              f'{time.monotonic() - began:>8.1f}', flush=True)
        figures |= {f'fuzz.{name}.{key}': value for key, value in result.items()}
    if given.json:
        Path(given.json).write_text(json.dumps(figures, indent=2), encoding='utf-8')


if __name__ == '__main__':
    main()
