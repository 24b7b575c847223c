'use strict';
// What the WebSocket says, as it comes; a null is shown as a dash, old values are greyed.

const DIGITS = { lastActivePower: 0, frequency: 2, energyImported: 3 };
const STALE_AFTER = 3000;   // ms without a charging frame that knows the controller's values
const RETRY = [1000, 2000, 5000, 10000];   // ms between attempts to connect
const VEHICLE = {
  A: 'no vehicle', B: 'vehicle connected', C: 'vehicle charges', D: 'vehicle charges (ventilation)',
  E: 'short circuit on the control pilot', F: 'control pilot not available', S: 'starting',
  R: 'diode check failed',
};

const byId = (id) => document.getElementById(id);
let fresh = 0;
let attempts = 0;

function show(id, value, digits = 1) {
  const element = byId(id);
  if (element) element.textContent = typeof value === 'number' ? value.toFixed(digits) : '–';
}

const handlers = {
  charging(message) {
    for (const [name, value] of Object.entries(message)) {
      if (Array.isArray(value)) value.forEach((v, i) => show(name + i, v));
      else show(name, value, DIGITS[name]);
    }
    if (message.commandedAmperage !== null) fresh = Date.now();
  },
  limits(message) { show('amperageLimit', message.expiresIn > 0 ? message.amperageLimit : null); },
  transaction(message) {
    const vehicle = VEHICLE[message.vehicleStatus] ?? message.vehicleStatus;
    byId('state').textContent = [message.state, vehicle].filter(Boolean).join(' · ');
  },
  configuration(message) { byId('name').textContent = message.controllerName || 'charger'; },
};

function connection(text, lost) {
  const element = byId('connection');
  if (element.textContent !== text) element.textContent = text;
  element.classList.toggle('lost', lost);
}

function connect() {
  const socket = new WebSocket(new URL('api/ws', document.baseURI.replace(/^http/, 'ws')));
  socket.onopen = () => { attempts = 0; };
  socket.onmessage = (event) => {
    const { topic, message } = JSON.parse(event.data);
    handlers[topic]?.(message);
  };
  socket.onclose = () => setTimeout(connect, RETRY[Math.min(attempts++, RETRY.length - 1)]);
  window.socket = socket;
}

async function reason() {
  try {
    const health = await (await fetch('api/v1/health')).json();
    byId('reason').textContent = health.decision?.reason ?? '';
  } catch {
    byId('reason').textContent = '';
  }
}

setInterval(() => {
  const open = window.socket?.readyState === WebSocket.OPEN;
  const stale = Date.now() - fresh > STALE_AFTER;
  document.querySelector('main').classList.toggle('stale', stale || !open);
  connection(!open ? 'no connection to the bridge; trying again'
    : stale ? 'connected, but the controller is silent: values are not current' : 'live', !open || stale);
}, 500);
connect();
reason();
setInterval(reason, 2000);
