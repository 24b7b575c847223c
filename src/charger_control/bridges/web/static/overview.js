// All chargers at a glance, asked for once a second. What is not current is greyed and said.
import { STATES } from './words.js';

const EVERY = 1000;   // ms
const LOST = 5000;   // ms without an answer
const byId = (id) => document.getElementById(id);
const cards = new Map();
let heard = 0;   // ms

function text(element, value) { if (element.textContent !== value) element.textContent = value; }
function number(value, digits = 1) { return typeof value === 'number' ? value.toFixed(digits) : '–'; }
function make(tag, parent, name = '') {
  const element = document.createElement(tag);
  if (name) element.className = name;
  parent.append(element);
  return element;
}

// A card is made once and its texts are set anew: focus and a reader's place stay where they are.
function card(charger) {
  const item = make('li', byId('chargers'));
  const link = make('a', make('h2', item));
  link.href = charger.href.slice(1);
  text(link, charger.controllerName || charger.name);
  const parts = { item, link, state: make('p', item, 'state') };
  const figures = make('dl', item, 'figures');
  for (const [key, label, unit] of [['power', 'power', ' kW'], ['signaled', 'signaled', ' A'], ['drawn', 'drawn', ' A']]) {
    const pair = make('div', figures);
    text(make('dt', pair), label);
    const value = make('dd', pair);
    parts[key] = make('output', value);
    value.append(unit);
  }
  parts.reason = make('p', item, 'reason');
  return parts;
}

function show(charger) {
  if (!cards.has(charger.name)) cards.set(charger.name, card(charger));
  const parts = cards.get(charger.name);
  const down = charger.status === 'down';
  text(parts.link, charger.controllerName ? `${charger.controllerName} (${charger.name})` : charger.name);
  parts.item.classList.toggle('down', down);
  const state = STATES[charger.state] ?? 'State not known';
  const since = charger.age === null ? 'nothing was heard of it yet' : `silent for ${Math.round(charger.age)} s`;
  text(parts.state, down ? `Not current: ${since}` : charger.status === 'degraded' ? `${state}; a node is silent` : state);
  const drawn = charger.amperage.filter((a) => a !== null);
  text(parts.power, number(charger.lastActivePower === null ? null : charger.lastActivePower / 1000));
  text(parts.signaled, number(charger.signaledAmperage));
  text(parts.drawn, drawn.length ? number(Math.max(...drawn)) : '–');
  text(parts.reason, charger.sentence);
}

function together(chargers) {
  const known = chargers.filter((one) => one.status !== 'down');
  const sum = (value) => known.reduce((total, one) => total + (value(one) ?? 0), 0);
  text(byId('charging'), `${known.filter((one) => one.state === 'Charging').length} of ${chargers.length}`);
  text(byId('power'), known.length ? number(sum((one) => one.lastActivePower) / 1000) : '–');
  text(byId('phases'), known.length ? [0, 1, 2].map((i) => number(sum((one) => one.amperage[i]), 0)).join(' · ') : '–');
  text(byId('unwell'), String(chargers.filter((one) => one.status !== 'ok').length));
}

async function look() {
  try {
    const [answer, supply] = await Promise.all(['chargers', 'vcse/dimming'].map(
      (path) => fetch(`api/v1/${path}`, { signal: AbortSignal.timeout(LOST) })));
    const body = await answer.json();
    if (!answer.ok) { text(byId('connection'), body.error.detail); return; }
    heard = Date.now();
    body.chargers.forEach(show);
    together(body.chargers);
    const budget = supply.ok ? await supply.json() : null;
    text(byId('supply'), budget ? `Supply: ${budget.amperage.map((a) => number(a, 0)).join(' · ')} A, ${budget.reason}` : '');
  } catch { /* said below */ }
}

function state() {
  const lost = Date.now() - heard > LOST;
  document.querySelector('main').classList.toggle('stale', lost);
  byId('connection').classList.toggle('lost', lost);
  text(byId('connection'), !lost ? 'Live' : heard ? 'No connection to the chargers; trying again' : 'connecting…');
}

async function turn() {
  if (!document.hidden) await look();
  state();
  setTimeout(turn, EVERY);
}

document.addEventListener('visibilitychange', () => { if (!document.hidden) look().then(state); });
turn();
