// One charger at a glance. A null is shown as a dash; what is not current is greyed and said.
import { Connection } from './connection.js';
import { Plot, SERIES } from './plot.js';
import { STATES } from './words.js';

const DIGITS = { frequency: 2, energyImported: 3 };
const STALE_AFTER = 3000;   // ms without a charging frame that knows the controller's values
const byId = (id) => document.getElementById(id);
const plot = new Plot(byId('plot'));
let fresh = 0;   // ms
let session = {};
let register = null;
let mayWrite = false;
let paused = false;

function text(id, value) { if (byId(id).textContent !== value) byId(id).textContent = value; }
function number(value, digits = 1) { return typeof value === 'number' ? value.toFixed(digits) : '–'; }

const topics = {
  charging(message) {
    for (const [name, value] of Object.entries(message)) {
      const all = Array.isArray(value) ? value.map((v, i) => [name + i, v]) : [[name, value]];
      for (const [id, v] of all) if (byId(id)) text(id, number(v, DIGITS[name]));
    }
    text('power', number(message.lastActivePower === null ? null : message.lastActivePower / 1000));
    register = message.energyImported;
    if (message.commandedAmperage !== null) fresh = Date.now();
    plot.add(performance.now() / 1000, SERIES.map(([name], i) => (i < 3 ? message[name] : message.amperage[i - 3])));
  },
  transaction(message) {
    session = message;
    text('state', STATES[message.state] ?? message.state ?? 'State not known');
    look();
  },
  limits(message) {
    const set = [];
    paused = message.expiresIn > 0 && message.enabled === false;
    if (message.expiresIn > 0) {
      if (paused) set.push('paused');
      if (message.amperageLimit !== null) set.push(`at most ${message.amperageLimit} A`);
      if (message.powerLimit !== null) set.push(`at most ${message.powerLimit / 1000} kW`);
      if (message.onePhaseLimit) set.push('one phase');
    }
    text('limit-now', message.timeout === null ? 'not known'
      : set.length ? `${set.join(', ')}, until ${new Date(Date.now() + message.expiresIn).toLocaleTimeString()}` : 'none set');
    text('pause', paused ? 'Go on charging' : 'Pause charging');
  },
  configuration(message) {
    text('name', message.controllerName || 'charger');
    document.title = `${message.controllerName || 'charger'} · charger_control`;
    const most = message.effectiveAmperageLimit;
    if (most >= 6) byId('amperage').max = String(Math.floor(most));
    wanted();
  },
};

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function showSession() {
  const { startedTime, endedTime, meterStart, meterStop } = session;
  if (!startedTime) { text('duration', '–'); text('energy', '–'); return; }
  text('duration', duration(Math.max(0, (endedTime || Date.now() / 1000) - startedTime)));
  const end = endedTime ? meterStop : register;
  text('energy', number(typeof end === 'number' && typeof meterStart === 'number' ? end - meterStart : null, 2));
}

async function look() {   // who decides and why, who is silent: not in the frames
  let health = null;
  try { health = await (await fetch('api/v1/health')).json(); } catch { /* the connection's state says so */ }
  text('sentence', health?.sentence ?? '');
  look.silent = health?.silentNodes ?? [];
}

function show() {
  const { open } = connection;
  const stale = Date.now() - fresh > STALE_AFTER;
  document.querySelector('main').classList.toggle('stale', stale || !open);
  byId('connection').classList.toggle('lost', stale || !open);
  const silent = look.silent?.length ? ` (silent: ${look.silent.join(', ')})` : '';
  text('connection', !open ? 'No connection to the charger; trying again'
    : stale ? `Values are not current: the controller is silent${silent}` : 'Live');
  for (const id of ['amperage', 'timeout', 'set', 'pause', 'release']) byId(id).disabled = !open || !mayWrite;
  showSession();
  plot.draw();
}

async function put(values) {
  let said = '';
  let refused = false;
  try {
    const answer = await fetch('api/v1/limits', { method: 'PUT', body: JSON.stringify(values) });
    const body = answer.status === 204 ? {} : await answer.json();
    refused = !answer.ok;
    said = refused ? `Not set: ${body.error.detail}` : body.warning ?? 'Set.';
  } catch {
    [refused, said] = [true, 'Not set: no connection to the charger.'];
  }
  byId('answer').classList.toggle('refused', refused);
  byId('answer').textContent = said;
}

function wanted() { text('wanted', `${byId('amperage').value} A`); }

async function opened() {
  try {
    const [access, history] = await Promise.all(['access', 'history'].map(
      async (name) => (await fetch(`api/v1/${name}`)).json()));
    mayWrite = access.rights.includes('write');
    if (!mayWrite) byId('answer').textContent = 'You may look; to set limits you need the right to write.';
    plot.load(history, performance.now() / 1000);
  } catch { /* the next connect tries again */ }
}

byId('amperage').addEventListener('input', wanted);
byId('span').addEventListener('change', () => { plot.span = Number(byId('span').value); plot.draw(); });
byId('limits').addEventListener('submit', (event) => {
  event.preventDefault();
  put({ amperageLimit: Number(byId('amperage').value), timeout: Number(byId('timeout').value) });
});
byId('pause').addEventListener('click', () => put(
  paused ? { enabled: true } : { enabled: false, timeout: Number(byId('timeout').value) }));
byId('release').addEventListener('click', () => put({ amperageLimit: null, powerLimit: null, enabled: null, onePhaseLimit: null }));
for (const [, label, color] of SERIES) {
  const item = document.createElement('li');
  item.style.color = `var(${color})`;
  item.textContent = `━ ${label}`;
  byId('legend').append(item);
}
if (document.baseURI.includes('/chargers/')) byId('all').hidden = false;
const connection = new Connection((topic, message) => topics[topic]?.(message), opened);
look();
setInterval(look, 2000);
setInterval(show, 500);
show();
