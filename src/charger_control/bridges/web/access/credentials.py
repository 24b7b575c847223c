"""Who may read and who may write: credentials in a file or the environment, hashed at rest.

One credential a line: ``name rights hash``, e.g. ``evcc read,write scrypt:8192:8:10:<salt>:<key>``;
``#`` starts a comment. A client gives it as Basic (name and secret) or as ``Bearer name.secret``.
Make a line with ``charger credentials NAME --rights read,write``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = 'CHARGER_BRIDGE_CREDENTIALS'
"""Environment variable that holds the lines of a credentials file; read if no file is named."""
RIGHTS = ('read', 'write')
NAME = re.compile(r'[A-Za-z0-9_-]{1,64}')
COST = (8192, 8, 10)
"""scrypt's n, r, p: 8 MB and about 0.2 s of one core for one try."""
FORBIDDEN = 0o027
"""Rights on a file with secrets that nobody may have: others any, its group writing."""
LARGEST_COST = 64 * 2**20
"""bytes; a hash that asks for more memory is refused at start."""


class CredentialsError(Exception):
    """The credentials cannot be used: one line with where and what to do, and no secret."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One client that is known.

    Attributes:
        name: of the client.
        rights: of RIGHTS.
        hash: as made by ``hash_secret``.
    """

    name: str
    rights: frozenset[str]
    hash: str


def hash_secret(secret: str, cost: tuple[int, int, int] = COST) -> str:
    """A salted hash of a secret, for a credentials file."""
    salt = secrets.token_bytes(16)
    n, r, p = cost
    return f'scrypt:{n}:{r}:{p}:{_text(salt)}:{_text(_scrypt(secret, salt, cost))}'


def matches(secret: str, hashed: str) -> bool:
    """Whether a secret belongs to a hash; takes as long whether or not it does."""
    salt, key = hashed.split(':')[-2:]
    got = _scrypt(secret, _bytes(salt), cost_of(hashed))
    return hmac.compare_digest(got, _bytes(key))


def cost_of(hashed: str) -> tuple[int, int, int]:
    """n, r, p of a hash."""
    _, n, r, p, _, _ = hashed.split(':')
    return int(n), int(r), int(p)


def _scrypt(secret: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    n, r, p = cost
    return hashlib.scrypt(secret.encode(), salt=salt, n=n, r=r, p=p, maxmem=2 * LARGEST_COST,
                          dklen=32)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip('=')


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


def parse(text: str, source: str) -> dict[str, Credential]:
    """Credentials by name.

    Args:
        text: the lines.
        source: where they are from, for errors.

    Raises:
        CredentialsError: naming the line that cannot be used.
    """
    found: dict[str, Credential] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split('#', 1)[0].split()
        if not words:
            continue
        where = f'{source}, line {number}'
        if len(words) != 3:
            raise CredentialsError(f'{where}: {len(words)} words; a line is: name rights hash')
        name, rights, hashed = words
        if not NAME.fullmatch(name) or name in found:
            raise CredentialsError(f'{where}: name {name!r} is ' + (
                'there twice' if name in found else 'not made of A-Z a-z 0-9 _ -, 64 at the most'))
        unknown = set(rights.split(',')) - set(RIGHTS)
        if unknown:
            raise CredentialsError(f'{where}: rights {rights!r}: allowed is read, write or '
                                   'read,write')
        try:
            usable = _usable(hashed)
        except ValueError:
            usable = False
        if not usable:
            raise CredentialsError(f'{where}: the hash of {name} cannot be read; make a new line '
                                   f'with charger credentials {name}')
        found[name] = Credential(name, frozenset(rights.split(',')), hashed)
    return found


def _usable(hashed: str) -> bool:
    kind, *_, salt, key = hashed.split(':')
    n, r, p = cost_of(hashed)
    return (kind == 'scrypt' and 0 < 128 * n * r <= LARGEST_COST and 0 < p <= 64 and n > 1
            and n.bit_count() == 1 and len(_bytes(salt)) >= 8 and len(_bytes(key)) == 32)


def load(file: str, environ: Mapping[str, str] = os.environ) -> dict[str, Credential]:
    """Credentials of a file, or of the environment if ``file`` is ''; {} where there are none.

    Raises:
        CredentialsError: a file that cannot be read or used, or that others may read or
            change.
    """
    if not file:
        return parse(environ.get(ENVIRONMENT, ''), ENVIRONMENT)
    path = Path(file).expanduser()
    try:
        mode = path.stat().st_mode
        text = path.read_text('utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f'{path}: cannot be read ({error})') from error
    if mode & FORBIDDEN:
        raise CredentialsError(f'{path}: others may {"write" if mode & 0o022 else "read"} it (mode '
                               f'{mode & 0o777:04o}; allowed: 0600, or 0640 for a group of its '
                               f'own). Run: chmod 600 {path}')
    found = parse(text, str(path))
    if not found:
        raise CredentialsError(f'{path}: there is no credential in it; make a line with '
                               'charger credentials NAME')
    return found
