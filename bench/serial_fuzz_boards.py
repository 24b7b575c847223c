"""Random and mutated answers for the boards' protocols: RAPI, Modbus RTU, Modbus TCP.

Each answer goes through the driver's own line, from bytes to values, without a port and without
waiting. What a line accepts is compared with an oracle of its own: every sound frame that the bytes
contain, found by trying every beginning. Anything else that is accepted is wrong. The decoders of
the boards then get the accepted and random registers: they must give a reading that can be.
"""

from __future__ import annotations

import dataclasses
import math
import random
import time
from collections import Counter
from functools import reduce
from operator import xor

from charger_control.drivers.interfaces import AnswerError, PortLostError
from charger_control.drivers.lines.modbus_rtu import READ_COILS, READ_HOLDING, ModbusLine
from charger_control.drivers.lines.modbus_tcp import ModbusTcpLine
from charger_control.drivers.lines.port import SerialSettings
from charger_control.drivers.lines.rapi import RapiLine
from charger_control.drivers.pilots.evse_din import registers as evse_din
from charger_control.drivers.pilots.phoenix.boards import EthernetBoard, SerialBoard

LETTERS = set('ABCDEFSR')
LONGEST = 0.5
"""s; an answer that keeps a line busy for longer is a hang."""


@dataclasses.dataclass
class Outcome:
    """``wrong``: values accepted that no sound frame holds; ``collisions``: a mutated frame whose
    checksum fits by chance, which no receiver can tell."""

    frames: int = 0
    accepted: int = 0
    wrong: int = 0
    crashes: int = 0
    hangs: int = 0
    uncounted: int = 0
    collisions: int = 0
    crash: str = ''
    rejected: Counter = dataclasses.field(default_factory=Counter)


def mutated(rng: random.Random, frame: bytes) -> bytes:
    """The frame, changed in one of the ways that lines and devices change frames."""
    data = bytearray(frame)
    kind = rng.randrange(9)
    if kind == 0:
        return rng.randbytes(rng.randint(0, 64))
    if kind == 1:
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 2:
        del data[rng.randrange(len(data)):]
    elif kind == 3:
        at = rng.randrange(len(data))
        data[at:at] = rng.randbytes(rng.randint(1, 5))
    elif kind == 4:
        at = rng.randrange(len(data))
        del data[at:at + rng.randint(1, 4)]
    elif kind == 5:
        at = rng.randrange(len(data))
        data[at:at + 4] = rng.randbytes(4)
    elif kind == 6:
        data += data[:rng.randrange(1, len(data))]
    elif kind == 7:
        data = bytearray(rng.randbytes(rng.randint(1, 8))) + data
    else:
        i, j = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
        data[i:j] = data[i:j][::-1]
    return bytes(data)


def crc(data: bytes) -> bytes:
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return bytes((value & 0xFF, value >> 8))


def judged(outcome: Outcome, counters, ask, sound, truth, is_own: bool) -> None:
    """One answer: ``ask`` gives what the line makes of it, ``sound`` what it may make."""
    outcome.frames += 1
    before, start = sum(counters().values()), time.perf_counter()
    try:
        values = ask()
    except (AnswerError, PortLostError) as error:
        outcome.rejected[getattr(error, 'kind', 'lost')] += 1
        outcome.uncounted += sum(counters().values()) == before
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        outcome.crashes += 1
        outcome.crash = repr(error)
    else:
        outcome.accepted += 1
        if values not in sound():
            outcome.wrong += 1
        elif values != truth and not is_own:
            outcome.collisions += 1
    outcome.hangs += time.perf_counter() - start > LONGEST


def rtu(frames: int, seed: int = 1) -> Outcome:
    """EVSE-DIN and Phoenix serial: registers and coils over Modbus RTU."""
    rng, outcome = random.Random(seed), Outcome()
    line = ModbusLine('fuzz', SerialSettings(4_000_000, 'N', 1))
    line._pause = 0.0
    pending: list[bytes] = []
    sent = False

    def read_within(timeout):
        return pending.pop(0) if sent and pending else None

    class Port:
        def write(self, data):
            nonlocal sent
            sent = True
            return len(data)

    line._client.socket = Port()
    line._client.read_within = read_within
    line._client.was_replaced = lambda: False
    for number in range(frames):
        bits = number % 4 == 3
        values = [rng.randrange(2) for _ in range(3)] if bits else [
            rng.randrange(0x10000) for _ in range(10)]
        body = (bytes((1, READ_COILS, 1, values[0] | values[1] << 1 | values[2] << 2)) if bits
                else bytes((1, READ_HOLDING, 20)) + b''.join(v.to_bytes(2, 'big') for v in values))
        frame = body + crc(body)
        good = rng.random() < 0.1
        data = frame if good else mutated(rng, frame)
        cut = rng.randint(0, len(data))
        pending[:], sent = [part for part in (data[:cut], data[cut:]) if part], False

        def sound(data=data, bits=bits):
            found, length = [], 6 if bits else 25
            for at in range(len(data) - length + 1):
                part = data[at:at + length]
                if part[:3] == (b'\1\1\1' if bits else b'\1\3\x14') and crc(part[:-2]) == part[-2:]:
                    found.append([part[3] >> i & 1 for i in range(3)] if bits else [
                        int.from_bytes(part[i:i + 2], 'big') for i in range(3, 23, 2)])
            return found

        ask = ((lambda: line.read_bits(1, READ_COILS, 20000, 3, 0.05)) if bits
               else (lambda: line.read(1, READ_HOLDING, 1000, 10, 0.05)))
        judged(outcome, lambda: line.counters(1), ask, sound, values, good)
    return outcome


def tcp(frames: int, seed: int = 2) -> Outcome:
    """Phoenix Ethernet: registers over Modbus TCP."""
    rng, outcome = random.Random(seed), Outcome()
    line = ModbusTcpLine('fuzz')
    pending: list[bytes] = []

    def receive(wait):
        if not pending:
            return False
        line._buffer += pending.pop(0)
        return True

    line._receive, line._send = receive, lambda data: None
    for _ in range(frames):
        values = [rng.randrange(0x10000) for _ in range(8)]
        number = line._transaction % 0xFFFF + 1
        body = bytes((180, 4, 16)) + b''.join(v.to_bytes(2, 'big') for v in values)
        frame = number.to_bytes(2, 'big') + bytes(2) + len(body).to_bytes(2, 'big') + body
        good = rng.random() < 0.1
        data = frame if good else mutated(rng, frame)
        cut = rng.randint(0, len(data))
        pending[:], line._buffer = [part for part in (data[:cut], data[cut:]) if part], b''

        def sound(data=data, number=number):
            head = number.to_bytes(2, 'big') + bytes((0, 0, 0, 19, 180, 4, 16))
            return [[int.from_bytes(data[at + i:at + i + 2], 'big') for i in range(9, 25, 2)]
                    for at in range(len(data) - 24) if data[at:at + 9] == head]

        judged(outcome, lambda: line.counters(180), lambda: line.read(180, 4, 100, 8, 0.05),
               sound, values, good)
        line._unanswered = 0
    return outcome


def rapi(frames: int, seed: int = 3) -> Outcome:
    """OpenEVSE: lines with and without sequence numbers, events between them."""
    rng, outcome = random.Random(seed), Outcome()
    line = RapiLine('fuzz')
    pending: list[bytes] = []
    sent = False

    def write(data):
        nonlocal sent
        sent = True

    line._read = lambda wait: pending.pop(0) if sent and pending else None
    line._write = write

    def seal(text: str) -> bytes:
        raw = text.encode()
        return raw + b'^%02X\r' % reduce(xor, raw, 0)

    for _ in range(frames):
        tokens = (f'{rng.choice((1, 2, 3, 0xFE)):02x}', str(rng.randrange(10000)),
                  f'{rng.choice((1, 2, 3)):02x}', f'{rng.randrange(0x10000):04x}')
        number = line._sequence % 0xFF + 1
        line.echoes = rng.random() < 0.5
        echo = f' :{number:02X}' if line.echoes else ''
        frame = seal(f'$OK {" ".join(tokens)}{echo}')
        good = rng.random() < 0.1
        data = frame if good else mutated(rng, frame)
        if rng.random() < 0.2:
            data = seal('$AT 03 03 16 0140') + data
        if rng.random() < 0.5:
            data += b'\r'
        echoes, sent, line._buffer = line.echoes, False, b''
        pending[:] = [data]

        def sound(data=data, number=number, echoes=echoes):
            found = []
            for part in data.split(b'\r')[:-1]:
                body, caret, check = part[part.rfind(b'$'):].strip(b'\n').partition(b'^')
                try:
                    if not caret or int(check, 16) != reduce(xor, body, 0):
                        continue
                    words = body.decode('ascii').split(' ')
                except ValueError:
                    continue
                mine = words[-1].startswith(':') and words.pop()
                if words[0] in ('$OK', '$NK') and (
                        int(mine[1:], 16) == number if mine else not echoes):
                    found.append(tuple(words[1:]))
            return found

        judged(outcome, line.counters, lambda: line.ask('GS', 0.05).tokens, sound, tokens, good)
        line.events.clear()
    return outcome


def decoders(frames: int, seed: int = 4) -> Outcome:
    """The boards' decoders on random registers and bits: a reading that can be, or 'S'."""
    rng, outcome = random.Random(seed), Outcome()
    serial, ethernet = SerialBoard(), EthernetBoard()
    likely = (0, 1, 2, 3, 5, 6, 16, 32, 0x4131, 0x4332, 0x43, 0x46, 0xFFFF, 1600)

    def number():
        return rng.choice(likely) if rng.random() < 0.7 else rng.randrange(0x10000)

    for index in range(frames):
        outcome.frames += 1
        try:
            if index % 3 == 0:
                live = evse_din.Live.of([number() for _ in range(10)])
                set_up = evse_din.SetUp.of([number() for _ in range(18)])
                evse_din.assess(live.firmware, set_up, fine_steps=rng.random() < 0.5,
                                set_power_on_current=True, refuted=rng.random() < 0.5)
                reading = evse_din.reading(live, tethered=False, refusal='')
            else:
                board = serial if index % 3 == 1 else ethernet
                answers = {request: [rng.randrange(2) if request.is_of_bits else number()
                                     for _ in range(request.count)]
                           for request in (*board.check, *board.live)}
                board.assess(answers, may_write=True)
                board.identity(answers)
                reading = board.reading(answers, tethered=False, refusal='')
        except Exception:  # noqa: BLE001 - that is what is looked for
            outcome.crashes += 1
            continue
        possible = (reading.letter in LETTERS and math.isfinite(reading.signaled_amperage)
                    and reading.signaled_amperage >= 0.0
                    and not (reading.letter == 'S' and not reading.error))
        outcome.wrong += not possible
        outcome.accepted += 1
    return outcome


PROTOCOLS = {'rapi': rapi, 'modbus_rtu': rtu, 'modbus_tcp': tcp, 'decoders': decoders}


def run(frames: int) -> dict[str, Outcome]:
    """``frames`` of each protocol."""
    return {name: fuzz(frames) for name, fuzz in PROTOCOLS.items()}
