"""Charging profiles as they come in: JSON of OCPP 1.6 and 2.0.1, checked against its schemas.

The schemas are those that the ``ocpp`` package ships. Also the watched directory, for a robot
without a CSMS.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from charger_control.core.smart_charging import OcppVersion, ProfileRejected

LARGEST_REQUEST = 4 << 20
"""Bytes of JSON that are looked at."""
WATCH_PERIOD = 2.0
"""s between two looks at the directory."""
SCHEMAS = {OcppVersion.V16: ('ocpp.v16', ''), OcppVersion.V201: ('ocpp.v201', 'Request')}


class RequestError(Exception):
    """A request that cannot be taken: a code and a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f'{code}: {sentence}')
        self.code = code
        self.sentence = sentence


def version_of(text: str) -> OcppVersion:
    """'1.6' or '2.0.1' as the core's enumeration. Raises RequestError."""
    try:
        return OcppVersion(text)
    except ValueError:
        known = ', '.join(repr(v.value) for v in OcppVersion)
        raise RequestError('UnknownVersion', f'ocpp_version {text!r} (allowed: {known})') from None


def parse(text: str, action: str, version: OcppVersion) -> dict[str, Any]:
    """A request's JSON, held against the schema of ``action``.

    Raises:
        RequestError: not JSON, too large, or the schema does not allow it; says where.
    """
    if len(text) > LARGEST_REQUEST:
        raise RequestError('TooLarge', f'{len(text)} characters (allowed: {LARGEST_REQUEST})')
    try:
        payload = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RequestError('FormatViolation', f'not JSON: {error}') from error
    error = next(_validator(action, version).iter_errors(payload), None)
    if error is not None:
        where = '.'.join(str(part) for part in error.absolute_path) or 'the request'
        raise RequestError('FormatViolation', f'{where}: {error.message[:200]}')
    return dict(payload)


def rejection(error: ProfileRejected) -> RequestError:
    """The core's refusal with its code and sentence."""
    return RequestError(error.reason.value, f'{error.message} ({error.reason.reason_code})')


def _refuse_constant(text: str) -> float:
    raise ValueError(f'{text} is not a number')


@cache
def _validator(action: str, version: OcppVersion) -> Validator:
    package, suffix = SCHEMAS[version]
    source = files(package) / 'schemas' / f'{action}{suffix}.json'
    schema = _without_multiples(json.loads(source.read_text(encoding='utf-8-sig')))
    validator: Validator = validator_for(schema)(schema)
    return validator


def _without_multiples(schema: Any) -> Any:
    """Without ``multipleOf``: 0.1 in binary makes good values of one decimal fail."""
    if isinstance(schema, Mapping):
        return {k: _without_multiples(v) for k, v in schema.items() if k != 'multipleOf'}
    if isinstance(schema, list):
        return [_without_multiples(v) for v in schema]
    return schema


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a look at the directory found: the text of a file, or None when it is gone."""

    name: str
    text: str | None


class ProfileDirectory:
    """Watches ``*.json`` files of a directory in a thread; changes come through ``changes``."""

    def __init__(self, folder: Path, period: float = WATCH_PERIOD) -> None:
        """``period``: s between two looks."""
        self.changes: queue.SimpleQueue[FileChange] = queue.SimpleQueue()
        self.error = ''
        self._folder = folder
        self._seen: dict[str, tuple[int, int]] = {}
        self._ended = threading.Event()
        self._period = period
        self.look()
        self._thread = threading.Thread(target=self._run, name='profiles', daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Puts what has changed since the last look into ``changes``."""
        found: dict[str, tuple[int, int]] = {}
        try:
            for path in sorted(self._folder.glob('*.json')):
                status = path.stat()
                found[path.name] = (status.st_mtime_ns, status.st_size)
                if self._seen.get(path.name) != found[path.name]:
                    self.changes.put(FileChange(path.name, path.read_text(encoding='utf-8')))
            self.error = '' if self._folder.is_dir() else f'{self._folder} is not a directory'
        except (OSError, UnicodeDecodeError) as error:
            self.error = f'{self._folder}: {error}'
            return  # what could not be read is not taken for gone
        for name in self._seen.keys() - found.keys():
            self.changes.put(FileChange(name, None))
        self._seen = found

    def close(self) -> None:
        """Ends the thread."""
        self._ended.set()
        self._thread.join(self._period)

    def _run(self) -> None:
        while not self._ended.wait(self._period):
            self.look()


def version_in_file(payload: Any) -> OcppVersion:
    """A bare request tells its version by how it names the EVSE."""
    keys = payload if isinstance(payload, Mapping) else {}
    return OcppVersion.V16 if 'connectorId' in keys else OcppVersion.V201
