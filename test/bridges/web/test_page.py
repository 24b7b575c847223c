"""The page in a real browser: Debian's Chromium, driven by playwright."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from charger_control.bridges.graph.asking import Answer
from charger_control.bridges.graph.state import CHARGING, DECISION, LIMITS, PILOT
from charger_control.bridges.web.access.credentials import ENVIRONMENT, hash_secret
from charger_control.core.api.types import SetLimits
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Charging, Decision, Flags
from charger_control.core.words import FAULTS

CHROMIUM = Path('/usr/bin/chromium')
FLAGS = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage']
PIXELS = """() => { const c = document.getElementById('plot');
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  let sum = 0; for (let i = 0; i < d.length; i += 4) sum = (sum * 31 + d[i] + d[i + 3]) % 1e9;
  return sum; }"""
pytestmark = pytest.mark.skipif(  # in CI they fail instead
    not CHROMIUM.exists() and not os.environ.get('CI'),
    reason='no browser. Run: sudo apt-get install --no-install-recommends chromium '
    'fonts-liberation')


class Charger:
    """In the place of the graph: follows the limit that is set."""

    def __init__(self, served: Any) -> None:
        self.served = served
        self.limit = 16.0
        self.limits = Limits()
        self.silent = False
        self.decision: Decision | None = None
        self.pilot: ControlPilot | None = None
        self._ended = threading.Event()
        served.answer = self._set
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _set(self, change: SetLimits) -> Answer:
        amperage = (change.amperage_limit if change.set_amperage_limit
                    else self.limits.amperage_limit)
        self.limits = Limits(change.enabled, amperage, timeout=300.0, expires_in=300.0)
        self.limit = 16.0 if math.isnan(amperage) else amperage
        return Answer(True, 'OK', '')

    def _run(self) -> None:
        put = self.served.state.put
        tick = 0
        while not self._ended.wait(0.1):
            tick += 1
            if self.silent:
                continue
            drawn = self.limit - 0.3 + 0.2 * math.sin(tick / 5)
            self.served.hear_all()
            put(CHARGING, Charging(
                voltage=(231.0, 231.4, 230.2), amperage=(drawn, drawn - 0.1, drawn + 0.1),
                allocated_amperage=self.limit, commanded_amperage=self.limit,
                available_amperage=self.limit + 0.5, signaled_amperage=self.limit,
                frequency=50.0, energy_imported=0.308, last_active_power=drawn * 690))
            if self.pilot is not None:
                put(PILOT, self.pilot)
            put(LIMITS, self.limits)
            put(DECISION, self.decision or Decision(
                self.limit, self.limit, self.limit, limit_source='api',
                reason='the lowest of all limits', effective_amperage_limit=self.limit))

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


@pytest.fixture(scope='module')
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS,
                                              chromium_sandbox=False)
        yield chromium
        chromium.close()


@pytest.fixture
def charger(serve: Callable[..., Any]) -> Iterator[Charger]:
    one = Charger(serve())
    yield one
    one.end()


@pytest.fixture
def page(browser: Browser, charger: Charger) -> Iterator[Page]:
    with browser.new_context(viewport={'width': 390, 'height': 844}) as context:
        page = context.new_page()
        page.errors = []  # type: ignore[attr-defined]
        page.on('pageerror', lambda error: page.errors.append(str(error)))  # type: ignore[attr-defined]
        page.goto(charger.served.url)
        yield page
        assert not page.errors  # type: ignore[attr-defined]


def slide(page: Page, amperage: int) -> None:
    """Moves the slider with the keyboard, as somebody without a pointer would."""
    slider = page.get_by_label('at most')
    slider.focus()
    slider.press('Home')
    for _ in range(amperage - 6):
        slider.press('ArrowRight')
    expect(page.locator('#wanted')).to_have_text(f'{amperage} A')


def test_it_shows_the_charger_in_words(page: Page) -> None:
    expect(page.get_by_role('heading', name='Charging', exact=True)).to_be_visible()
    expect(page.locator('#connection')).to_have_text('Live')
    expect(page.locator('#signaledAmperage')).to_have_text('16.0')
    expect(page.locator('#sentence')).to_have_text(
        'A limit set on the page or by another program allows 16.0 A per phase: the lowest of all '
        'limits.')
    expect(page.locator('#energy')).to_have_text('0.01')   # 0.308 - 0.303 kWh
    assert page.evaluate('document.documentElement.scrollWidth') <= 390


def test_no_vehicle_is_nobodys_decision(page: Page, charger: Charger) -> None:
    charger.pilot = ControlPilot('A', 'A1', 0.0)
    charger.decision = Decision(limit_source='api', reason='no vehicle connected',
                                effective_amperage_limit=8.0, flags=Flags.NO_VEHICLE)
    expect(page.locator('#sentence')).to_have_text(
        'No vehicle is connected; a limit set on the page or by another program would allow 8.0 A '
        'per phase.')
    expect(page.locator('body')).not_to_contain_text('decides')


def test_a_shorted_pilot_is_said_with_what_to_do(page: Page, charger: Charger) -> None:
    charger.pilot = ControlPilot('E', 'E1', 0.0, fault='CpShortCircuit')
    charger.decision = Decision(limit_source='hw', reason='fault: CpShortCircuit',
                                effective_amperage_limit=16.0, flags=Flags.FAULT)
    said = page.locator('#sentence')
    expect(said).to_contain_text('The control pilot is short-circuited (CpShortCircuit)')
    expect(said).to_contain_text(FAULTS['CpShortCircuit'].to_do)
    expect(page.locator('body')).not_to_contain_text('does not answer')


def test_a_controller_that_is_silent_decides_nothing(page: Page, charger: Charger) -> None:
    charger.silent = True
    charger.served.clock.advance(6.0)
    expect(page.locator('#sentence')).to_contain_text('node cppwm_controller) was not heard for')


def test_the_plot_moves(page: Page) -> None:
    expect(page.locator('#connection')).to_have_text('Live')
    before = page.evaluate(PIXELS)
    deadline = time.monotonic() + 5.0
    while page.evaluate(PIXELS) == before:
        assert time.monotonic() < deadline, 'it stands still'
        page.wait_for_timeout(50)


def test_a_limit_that_is_set_is_followed(page: Page, charger: Charger) -> None:
    expect(page.get_by_role('button', name='Set limit')).to_be_enabled()
    slide(page, 10)
    page.get_by_role('button', name='Set limit').press('Enter')
    expect(page.locator('#answer')).to_have_text('Set.')
    expect(page.locator('#signaledAmperage')).to_have_text('10.0')
    expect(page.locator('#limit-now')).to_contain_text('at most 10 A, until')
    page.get_by_role('button', name='Pause charging').click()
    expect(page.get_by_role('button', name='Go on charging')).to_be_visible()
    assert charger.served.written[-1].enabled is False
    page.get_by_role('button', name='No limit of mine').click()
    expect(page.locator('#signaledAmperage')).to_have_text('16.0')


TRANSLATE = """() => {
  const words = { 'Pause charging': 'Laden unterbrechen', 'Go on charging': 'Weiterladen' };
  const button = document.getElementById('pause');
  const change = () => { const to = words[button.textContent]; if (to) button.textContent = to; };
  new MutationObserver(change).observe(button, { childList: true, subtree: true });
  change();
}"""


def test_a_translated_page_pauses_and_goes_on(page: Page, charger: Charger) -> None:
    """A browser's translator replaces the words of a button."""
    page.evaluate(TRANSLATE)
    page.get_by_role('button', name='Laden unterbrechen').click()
    expect(page.locator('#answer')).to_have_text('Set.')
    assert charger.served.written[-1].enabled is False
    page.get_by_role('button', name='Weiterladen').click()
    expect(page.get_by_role('button', name='Laden unterbrechen')).to_be_visible()
    assert charger.served.written[-1].enabled is True


def test_a_refusal_is_said(page: Page, charger: Charger) -> None:
    charger.served.answer = lambda change: Answer(False, 'StoreFailed', 'disk full')
    page.get_by_role('button', name='Set limit').click()
    expect(page.locator('#answer')).to_have_text('Not set: disk full')


def test_stale_values_are_shown_as_stale(page: Page, charger: Charger) -> None:
    expect(page.locator('#connection')).to_have_text('Live')
    charger.silent = True
    charger.served.clock.advance(6.0)
    expect(page.locator('#connection')).to_contain_text('not current', timeout=6000)
    expect(page.locator('#connection')).to_contain_text('cppwm_controller', timeout=6000)
    expect(page.locator('#commandedAmperage')).to_have_text('–')
    expect(page.locator('main.stale')).to_have_count(1)
    charger.silent = False
    expect(page.locator('#connection')).to_have_text('Live')
    expect(page.locator('main.stale')).to_have_count(0)


def test_it_survives_a_restart_of_the_bridge(page: Page, charger: Charger) -> None:
    expect(page.locator('#connection')).to_have_text('Live')
    port = charger.served.web.port
    charger.served.web.close()
    expect(page.locator('#connection')).to_contain_text('No connection')
    expect(page.get_by_role('button', name='Set limit')).to_be_disabled()
    charger.served.start(port=port)
    charger.limit = 8.0
    expect(page.locator('#connection')).to_have_text('Live', timeout=8000)
    expect(page.locator('#signaledAmperage')).to_have_text('8.0')
    expect(page.get_by_role('button', name='Set limit')).to_be_enabled()


def test_the_history_survives_a_reload(page: Page, charger: Charger) -> None:
    page.wait_for_timeout(2500)   # two samples of the bridge's
    with page.expect_response('**/api/v1/history') as answer:
        page.reload()
    history = json.loads(answer.value.text())
    assert [v for v in history['signaledAmperage'] if v == 16.0][1:]
    assert history['age'] == sorted(history['age'], reverse=True)


def test_without_the_right_to_write(browser: Browser, serve: Callable[..., Any],
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, f'ann read {hash_secret("secret")}')
    charger = Charger(serve())   # after the environment is set
    try:
        with browser.new_context(http_credentials={'username': 'ann', 'password': 'secret'}
                                 ) as context:
            page = context.new_page()
            page.goto(charger.served.url)
            expect(page.locator('#answer')).to_contain_text('right to write')
            expect(page.get_by_role('button', name='Set limit')).to_be_disabled()
            expect(page.locator('#signaledAmperage')).to_have_text('16.0')
    finally:
        charger.end()


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_everything_has_a_name_and_contrast(browser: Browser, charger: Charger, scheme: Any
                                            ) -> None:
    with browser.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(charger.served.url)
        unnamed = page.evaluate("""() => [...document.querySelectorAll('input, select, button')]
            .filter((e) => !e.labels?.length && !e.textContent.trim()).map((e) => e.id)""")
        assert unnamed == []
        ink, ground = page.evaluate("""() => { const s = getComputedStyle(
            document.querySelector('section')); return [s.color, s.backgroundColor]; }""")
        assert contrast(ink, ground) >= 7.0


# -- several chargers ------------------------------------------------------------------------------
@pytest.fixture
def depot(serve: Callable[..., Any]) -> Any:
    one = serve(names=('cp01', 'cp02', 'cp03'))
    one.supply.put(TeamBudget('depot', (40.0, 40.0, 40.0), 10.0, 'dimmed to 4200 W'))
    for name in ('cp01', 'cp02'):
        one.hear_all(name)
        one.states[name].put(DECISION, Decision(16.0, 8.0, 8.0, limit_source='team',
                                                reason='its share'))
    return one


def test_the_overview(browser: Browser, depot: Any) -> None:
    with browser.new_context(viewport={'width': 390, 'height': 844}) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on('pageerror', lambda error: errors.append(str(error)))
        page.goto(depot.url)
        expect(page.locator('#connection')).to_have_text('Live')
        cards = page.get_by_role('listitem')
        expect(cards).to_have_count(3)
        expect(cards.nth(0)).to_contain_text('Charging')
        expect(cards.nth(0)).to_contain_text(
            'The team of chargers allows 8.0 A per phase: its share.')
        expect(cards.nth(2)).to_contain_text('Not current: nothing was heard of it yet')
        expect(page.locator('#charging')).to_have_text('2 of 3')
        expect(page.locator('#unwell')).to_have_text('1')
        expect(page.locator('#supply')).to_contain_text('dimmed to 4200 W')
        assert page.evaluate('document.documentElement.scrollWidth') <= 390
        depot.clock.advance(4.0)   # then what it showed is not current
        expect(cards.nth(0)).to_contain_text('Not current: silent for')
        depot.hear_all('cp02')
        expect(cards.nth(1)).to_contain_text('Charging')
        page.keyboard.press('Tab')
        expect(page.get_by_role('link', name='garage (cp01)')).to_be_focused()
        page.keyboard.press('Tab')
        page.keyboard.press('Enter')
        expect(page).to_have_url(f'{depot.url}/chargers/cp02/')
        expect(page.get_by_role('heading', name='garage')).to_be_visible()
        expect(page.locator('#connection')).not_to_have_text('connecting…')
        page.get_by_role('button', name='Pause charging').click()
        expect(page.locator('#answer')).to_have_text('Set.')
        assert depot.asked_of[-1] == 'cp02'
        page.get_by_role('link', name='All chargers').click()
        expect(page).to_have_url(f'{depot.url}/')
        assert not errors


def test_the_contract_as_a_page(browser: Browser, served: Any) -> None:
    with browser.new_context(viewport={'width': 390, 'height': 844}) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on('pageerror', lambda error: errors.append(str(error)))
        asked: list[str] = []
        page.on('request', lambda request: asked.append(request.url))
        page.goto(served.url + '/api/docs')
        expect(page.get_by_role('heading', name='GET /api/v1/charging')).to_be_visible()
        expect(page.get_by_role('heading', name='PUT /api/v1/limits')).to_be_visible()
        page.get_by_role('button', name='Try GET /api/v1/access').click()
        expect(page.get_by_text('"rights":["read","write"]')).to_be_visible()
        assert page.evaluate('document.documentElement.scrollWidth') <= 390
        assert {url for url in asked if not url.startswith(served.url)} <= {'data:,'}
        assert not errors


def contrast(one: str, other: str) -> float:
    """The contrast of two CSS colours (WCAG 2.1)."""
    def luminance(color: str) -> float:
        parts = [int(v) / 255 for v in color[4:-1].split(',')]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return sum(k * v for k, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
