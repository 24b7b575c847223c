"""How the BSM-WS36A and the WM3M4 are brought to sign: registers, orders, checks.

BSM-WS36A: bsm-python doc/examples/{snapshots,ocmf}.md and doc/modbus/*.csv (the maker's), and
EVerest PowermeterBSM, which has the same snapshot model. Signed Start and Signed End are taken,
which switch no contactor: that is the board's. Their RV counts since the last turn-on of the
meter's own contactor; the register over all time is XV. Signing takes seconds, up to 15.

WM3M4: EVerest RsIskraMeter (user manual 1.14) and a WM3M4C demo in Python (wm3m4c_constants.py)
agree on registers, orders and states. One record at the end holds both readings. The leading zeros
that its firmware leaves in a signature's numbers are known from EVerest alone [1]; DER wants none.
"""

from __future__ import annotations

import json

from charger_control.drivers.meters.signing import (
    Ask,
    Occasion,
    Procedure,
    SigningError,
    Steps,
    chunks,
    registers_of,
    text_of,
)

MOST_REGISTERS = 120
"""Of one read or write; the shorter limit of the two."""
_POLL, _POLLS = 0.5, 40
"""s between two looks whether the meter has signed, and how many: 20 s in all."""

# BSM-WS36A: wire addresses
_BSM_TIME, _BSM_META = 40260, 40279
_BSM_META_REGISTERS = 70
_BSM_KEY, _BSM_KEY_REGISTERS = 40449, 48
_BSM_SNAPSHOT = {'start': 41283, 'stop': 41537}
_BSM_OCMF = {'start': 43291, 'stop': 43791}
_BSM_STATUS, _BSM_TEXT, _BSM_TEXT_REGISTERS = 3, 4, 496
_VALID, _UPDATING = 0, 2
_BSM_STATES = {1: 'invalid', 3: 'failed', 4: 'not enabled', 5: 'no feedback of the contactor'}

# WM3M4: manual's address minus 40000
_STATE, _COMMAND, _RESULT = 7000, 7051, 7052
_ZONE, _TIME_HIGH, _TIME_LOW, _SYNCHRONISED = 7053, 7054, 7055, 7071
_INPUT_LENGTH, _OUTPUT_LENGTH, _SIGNATURE_LENGTH, _FORMAT = 7056, 7057, 7058, 7059
_INPUT, _OUTPUT, _SIGNATURE, _KEY = 7100, 7612, 8188, 8124
_IDLE, _ACTIVE, _AFTER_POWER_FAILURE = 0, 1, 2
_BEGIN, _END = 0x4200, 0x7200
_SIGNED_OK, _IN_PROGRESS = 15, (0, 1, 2)
_KEY_PREFIX = '3059301306072A8648CE3D020106082A8648CE3D03010703420004'
"""SubjectPublicKeyInfo of a point on secp256r1, manual 6.5.14."""
_MOST_OUTPUT, _MOST_SIGNATURE = 1024, 256


def bsm_ws36a(occasion: Occasion) -> Steps:
    """A signed snapshot of the BSM-WS36A, and its OCMF."""
    snapshot, ocmf = _BSM_SNAPSHOT[occasion.kind], _BSM_OCMF[occasion.kind]
    if occasion.kind == 'start':
        wall = int(occasion.wall)
        yield Ask(16, _BSM_TIME, values=(wall >> 16, wall & 0xFFFF, occasion.offset & 0xFFFF))
    yield Ask(16, _BSM_META, values=registers_of(occasion.tag.encode('ascii', 'replace'),
                                                 _BSM_META_REGISTERS))
    yield Ask(16, snapshot + _BSM_STATUS, values=(_UPDATING,))
    for _ in range(_POLLS):
        status = yield Ask(3, snapshot + _BSM_STATUS, 1, after=_POLL, is_patient=True)
        if status and status[0] != _UPDATING:
            break
    else:
        raise SigningError(f'the meter has not signed within {_POLL * _POLLS:g} s')
    if status[0] != _VALID:
        raise SigningError('the snapshot is '
                           f'{_BSM_STATES.get(status[0], f"in an unknown state ({status[0]})")}')
    valid = yield Ask(3, ocmf + _BSM_STATUS, 1)
    if valid[0] != _VALID:
        raise SigningError(f'the OCMF of the snapshot is not valid ({valid[0]})')
    text = b''
    for address, count in chunks(ocmf + _BSM_TEXT, _BSM_TEXT_REGISTERS, MOST_REGISTERS):
        text += text_of((yield Ask(3, address, count)))
        if b'\0' in text:
            break
    key = yield Ask(3, _BSM_KEY, 2 + _BSM_KEY_REGISTERS)
    return (checked_record(text.split(b'\0')[0], occasion.tag),
            text_of(key[2:])[:key[1]].hex().upper())


def wm3m4(occasion: Occasion) -> Steps:
    """Begins a measurement of the WM3M4, or ends it and fetches what it signed."""
    state = yield Ask(3, _STATE, 1)
    if occasion.kind == 'start':
        if state[0] != _IDLE:  # one that was never ended
            if state[0] == _AFTER_POWER_FAILURE:
                yield from _wm3m4_input(occasion)
            yield from _wm3m4_order(_END, _IDLE)
        yield from _wm3m4_input(occasion)
        yield from _wm3m4_order(_BEGIN, _ACTIVE)
        return '', ''
    if state[0] == _IDLE:
        raise SigningError('no measurement was begun in the meter')
    if state[0] == _AFTER_POWER_FAILURE:
        yield from _wm3m4_input(occasion)
    yield from _wm3m4_order(_END, _IDLE)
    length = (yield Ask(3, _SIGNATURE_LENGTH, 1))[0]
    if not 8 <= length <= _MOST_SIGNATURE:
        raise SigningError(f'a signature of {length} bytes')
    signature = text_of((yield Ask(3, _SIGNATURE, (length + 1) // 2)))[:length]
    length = (yield Ask(3, _OUTPUT_LENGTH, 1))[0]
    if not 2 <= length <= _MOST_OUTPUT:
        raise SigningError(f'a record of {length} bytes')
    data = b''
    for address, count in chunks(_OUTPUT, (length + 1) // 2, MOST_REGISTERS):
        data += text_of((yield Ask(3, address, count)))
    key = text_of((yield Ask(3, _KEY, 32)))
    signed = json.dumps({'SD': minimal_der(signature).hex().upper()}, separators=(',', ':'))
    return (checked_record(b'OCMF|' + data[:length] + b'|' + signed.encode(), occasion.tag),
            _KEY_PREFIX + key.hex().upper())


def _wm3m4_input(occasion: Occasion) -> Steps:
    """The clock, the format of the signature, and what the meter puts into its record."""
    wall = int(occasion.wall)
    for address, value in ((_TIME_HIGH, wall >> 16), (_TIME_LOW, wall & 0xFFFF),
                           (_ZONE, occasion.offset & 0xFFFF), (_SYNCHRONISED, 2), (_FORMAT, 0)):
        yield Ask(6, address, values=(value,))
    text = json.dumps({
        'FV': '1.0', 'GI': '', 'GS': '', 'GV': '', 'PG': '', 'MV': '', 'MM': '', 'MS': '', 'MF': '',
        'IS': False, 'IF': [], 'IT': 'NONE', 'ID': occasion.tag.replace('|', ' '), 'CT': 'EVSEID',
        'CI': '', 'RD': []}, separators=(',', ':')).encode('ascii')
    registers = registers_of(text)
    for at, count in chunks(0, len(registers), MOST_REGISTERS):
        yield Ask(16, _INPUT + at, values=registers[at:at + count])
    yield Ask(6, _INPUT_LENGTH, values=(len(text),))
    return '', ''


def _wm3m4_order(order: int, state: int) -> Steps:
    """Gives an order and waits until it has taken effect and is signed."""
    yield Ask(6, _COMMAND, values=(order,))
    for _ in range(_POLLS):
        now = yield Ask(3, _STATE, 1, after=_POLL, is_patient=True)
        result = yield Ask(3, _RESULT, 1, is_patient=True)
        if result and result[0] not in (_SIGNED_OK, *_IN_PROGRESS):
            raise SigningError(f'the meter refuses with status {result[0]}')
        if now and result and now[0] == state and result[0] == _SIGNED_OK:
            return '', ''
    raise SigningError(f'the meter has not signed within {_POLL * _POLLS:g} s')


def checked_record(text: bytes, tag: str) -> str:
    """A record whose form is OCMF's and that names this session. Raises SigningError."""
    parts = text.decode('utf-8', 'replace').split('|')
    try:
        payload, signature = (json.loads(part) for part in parts[1:])
        fits = parts[0] == 'OCMF' and isinstance(payload, dict) and bool(signature['SD'])
    except (ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        raise SigningError(f'what the meter gave is no OCMF: {text[:60]!r}')
    if tag not in str(payload.get('ID')):
        raise SigningError(f'the record is of another session ({payload.get("ID")!r})')
    return text.decode('utf-8')


def minimal_der(signature: bytes) -> bytes:
    """An ECDSA signature with its two numbers as short as DER wants them, if it is one at all."""
    if len(signature) < 8 or signature[0] != 0x30 or signature[1] != len(signature) - 2:
        return signature
    numbers, at = b'', 2
    while at < len(signature):
        if at + 2 > len(signature) or signature[at] != 0x02:
            return signature
        number = signature[at + 2:at + 2 + signature[at + 1]]
        if len(number) != signature[at + 1]:
            return signature
        at += 2 + len(number)
        while len(number) > 1 and number[0] == 0 and number[1] < 0x80:
            number = number[1:]
        numbers += bytes((0x02, len(number))) + number
    return bytes((0x30, len(numbers))) + numbers


PROCEDURES: dict[str, Procedure] = {'bsm_ws36a': bsm_ws36a, 'wm3m4': wm3m4}
"""By the name of the driver."""
