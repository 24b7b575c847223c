from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from charger_control.bridges.web.access.credentials import (
    ENVIRONMENT,
    CredentialsError,
    hash_secret,
    load,
    matches,
    parse,
)

CHEAP = (16, 8, 1)
HASH = hash_secret('secret', CHEAP)


def test_hash_and_match() -> None:
    assert matches('secret', HASH)
    assert not matches('Secret', HASH)
    assert not matches('', HASH)
    assert 'secret' not in HASH
    assert hash_secret('secret', CHEAP) != HASH, 'salted'
    assert matches('schlüssel 🔑', hash_secret('schlüssel 🔑', CHEAP))


def test_parse() -> None:
    found = parse(f'# who\n\nevcc read,write {HASH}\nshow read {HASH}  # a display\n', 'file')
    assert {n: set(c.rights) for n, c in found.items()} == {'evcc': {'read', 'write'},
                                                            'show': {'read'}}


@pytest.mark.parametrize(('line', 'said'), [
    ('evcc', '1 words'), ('evcc read', '2 words'), (f'evcc read {HASH} x', '4 words'),
    (f'ev.cc read {HASH}', "'ev.cc'"), (f'{"x" * 65} read {HASH}', '64 at the most'),
    (f'evcc all {HASH}', "'all'"), (f'evcc read,admin {HASH}', "'read,admin'"),
    (f'show read {HASH}', 'twice'),
    ('evcc read hunter2', 'hash of evcc'), ('evcc read scrypt:1:2:3:4:5', 'hash of evcc'),
    (f'evcc read {HASH.replace("scrypt", "md5")}', 'hash of evcc'),
    (f'evcc read {HASH.replace(":16:", ":1048576:")}', 'hash of evcc'),
    (f'evcc read {HASH.replace(":16:", ":15:")}', 'hash of evcc'),
    (f'evcc read {HASH.replace(":16:", ":x:")}', 'hash of evcc'),
], ids=[str(number) for number in range(14)])   # the hashes are other ones in each process
def test_bad_lines_are_named_and_not_repeated(line: str, said: str) -> None:
    with pytest.raises(CredentialsError) as refused:
        parse(f'show read {HASH}\n{line}\n', '/etc/credentials')
    text = str(refused.value)
    assert text.startswith('/etc/credentials, line 2: ')
    assert said in text
    assert HASH not in text
    assert 'hunter2' not in text


def test_load(tmp_path: Path) -> None:
    path = tmp_path / 'credentials'
    assert load('', {}) == {}
    assert set(load('', {ENVIRONMENT: f'evcc read {HASH}'})) == {'evcc'}
    with pytest.raises(CredentialsError, match='cannot be read'):
        load(str(path), {})
    path.write_text('# nobody\n')
    path.chmod(0o600)
    with pytest.raises(CredentialsError, match='no credential'):
        load(str(path), {})
    path.write_text(f'evcc read {HASH}\n')
    assert set(load(str(path), {ENVIRONMENT: f'other read {HASH}'})) == {'evcc'}
    path.chmod(0o620)
    with pytest.raises(CredentialsError, match='chmod 600'):
        load(str(path), {})
    path.chmod(0o600)
    path.write_bytes(b'\xff')
    with pytest.raises(CredentialsError, match='cannot be read'):
        load(str(path), {})


@pytest.mark.parametrize(('mode', 'who'), [
    (0o604, 'read'), (0o644, 'read'), (0o660, 'write'), (0o601, 'read'), (0o622, 'write')])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int, who: str
                                                         ) -> None:
    path = tmp_path / 'credentials'
    path.write_text(f'evcc read {HASH}\n')
    path.chmod(mode)
    with pytest.raises(CredentialsError, match=rf'{path}: others may {who} it .*{mode:04o}'):
        load(str(path), {})
    for allowed in (0o600, 0o400, 0o640):   # root writes, the group of the service reads
        path.chmod(allowed)
        assert set(load(str(path), {})) == {'evcc'}


@pytest.mark.parametrize('tool', [
    ['charger_control.cli.main', 'credentials'],
    ['charger_control.bridge.credentials'],   # the name that it had, in scripts
], ids=['charger', 'old'])
def test_the_tool_makes_a_line_that_works(tool: list[str]) -> None:
    tool = [sys.executable, '-m', *tool]
    made = subprocess.run([*tool, 'evcc'], capture_output=True, text=True, check=True)
    credential = parse(made.stdout, 'tool')['evcc']
    assert credential.rights == {'read', 'write'}
    secret = made.stderr.partition('Bearer: evcc.')[2].strip()
    assert len(secret) >= 32
    assert secret not in made.stdout
    assert matches(secret, credential.hash)
    given = subprocess.run([*tool, 'show', '--rights', 'read', '--stdin'], input='pass word\n',
                           capture_output=True, text=True, check=True)
    assert given.stderr == ''
    assert matches('pass word', parse(given.stdout, 'tool')['show'].hash)
    for bad in (['e.v'], ['evcc', '--rights', 'root'], ['evcc', '--stdin']):
        failed = subprocess.run([*tool, *bad], input='', capture_output=True, text=True,
                                check=False)
        assert failed.returncode == 2
        assert failed.stdout == ''
