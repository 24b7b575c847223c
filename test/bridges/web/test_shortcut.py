"""What is answered before Flask is answered as Flask does: a trailing slash goes the long way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from charger_control.bridges.web.access.credentials import ENVIRONMENT, hash_secret

DOCUMENTS = ('charging', 'configuration', 'transaction', 'limits')


def seen(answer: requests.Response) -> tuple[Any, ...]:
    """All of an answer but its time; `expiresIn` runs only while something is set."""
    return (answer.status_code, answer.content, sorted(
        (name, value) for name, value in answer.headers.items() if name != 'Date'))


@pytest.mark.parametrize('document', DOCUMENTS)
def test_the_same_answer(served: Any, document: str) -> None:
    short, long = (served.get(f'/api/v1/{document}{end}') for end in ('', '/'))
    assert short.status_code == 200
    assert seen(short) == seen(long)


@pytest.mark.parametrize('headers', [
    {'Host': 'evil.example'}, {'Upgrade': 'websocket'}, {'Authorization': 'Basic eDp5'}])
def test_the_same_refusals(served: Any, headers: dict[str, str]) -> None:
    short, long = (served.get(f'/api/v1/charging{end}', headers=headers) for end in ('', '/'))
    assert seen(short) == seen(long)


def test_the_same_when_nothing_is_known(serve: Callable[..., Any]) -> None:
    one = serve()
    short, long = (one.get(f'/api/v1/charging{end}') for end in ('', '/'))
    assert short.status_code == 503
    assert seen(short) == seen(long)


def test_a_wrong_credential_counts_once(serve: Callable[..., Any],
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, f'ann write {hash_secret("secret", (16, 8, 1))}')
    one = serve()
    one.hear_all()
    wrong = [one.get('/api/v1/charging', auth=('ann', f'wrong{i}')) for i in range(12)]
    codes = [answer.status_code for answer in wrong]
    assert codes[:10] == [401] * 10
    assert codes[11] == 429
    assert 'WWW-Authenticate' in wrong[0].headers
    assert one.get('/api/v1/charging', auth=('ann', 'secret')).status_code == 429
    one.clock.advance(60.0)
    answer = one.get('/api/v1/charging', auth=('ann', 'secret'))   # may write, not read
    assert (answer.status_code, answer.json()['error']['code']) == (403, 'Forbidden')
