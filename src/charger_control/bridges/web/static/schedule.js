// The composite schedule of the coming 24 hours as steps in an SVG, and in words.

const SPAN = 86400;   // s
const EVERY = 60000;   // ms
const [HEIGHT, LEFT, BOTTOM] = [150, 34, 20];   // px
const svg = document.getElementById('schedule');
const words = document.getElementById('schedule-words');
const day = new Intl.DateTimeFormat(undefined, { weekday: 'short', hour: '2-digit', minute: '2-digit' });
const hour = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

let known = null;

function draw(name, attributes, content = '') {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = content;
  svg.append(element);
}

function show(answer) {
  known = answer;
  const width = svg.clientWidth || 600;
  const begin = Date.parse(answer.scheduleStart) / 1000;
  const { duration, chargingSchedulePeriod: periods } = answer.chargingSchedule;
  const top = Math.max(8, ...periods.map((p) => p.limit)) * 1.1;
  const x = (s) => LEFT + (s / duration) * (width - LEFT);
  const y = (a) => HEIGHT - BOTTOM - (a / top) * (HEIGHT - BOTTOM - 6);
  svg.replaceChildren();
  svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
  for (let a = 0; a <= top; a += top > 40 ? 20 : top > 20 ? 10 : 4) {
    draw('line', { class: 'grid', x1: LEFT, x2: width, y1: y(a), y2: y(a) });
    draw('text', { x: LEFT - 5, y: y(a) + 4, 'text-anchor': 'end' }, a ? String(a) : '0 A');
  }
  const tick = new Date(begin * 1000);
  tick.setHours(Math.floor(tick.getHours() / 6) * 6 + 6, 0, 0, 0);   // local time, also in a night of 25 hours
  for (; tick.getTime() / 1000 < begin + duration; tick.setHours(tick.getHours() + 6)) {
    const at = x(tick.getTime() / 1000 - begin);
    draw('line', { class: 'grid', x1: at, x2: at, y1: 6, y2: HEIGHT - BOTTOM });
    if (at < LEFT + 26 || at > width - 28) continue;   // no room for its label
    draw('text', { x: at, y: HEIGHT - 5, 'text-anchor': 'middle' }, hour.format(tick));
  }
  periods.forEach((p, i) => {
    const [from, to] = [x(p.startPeriod), x(periods[i + 1]?.startPeriod ?? duration)];
    const kind = p.numberPhases === 1 ? 'one-phase' : 'any-phases';
    draw('rect', { class: kind, x: from, y: y(p.limit), width: to - from, height: Math.max(0, y(0) - y(p.limit)) });
    draw('line', { class: kind, x1: from, x2: to, y1: y(p.limit), y2: y(p.limit) });
  });
  const said = periods.slice(0, 12).map((p, i) => `${i ? `from ${day.format((begin + p.startPeriod) * 1000)}` : 'now'} ${p.limit} A`
    + (p.numberPhases === 1 ? ' on one phase' : ''));
  words.textContent = said.join(', ') + (periods.length > said.length ? `, … (${periods.length} periods)` : '');
}

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(`api/v1/composite-schedule?duration=${SPAN}`);
    const body = await answer.json();
    if (answer.ok) { show(body); return; }
    words.textContent = body.error.detail;
  } catch {
    words.textContent = 'not known: no connection to the charger';
  }
  known = null;
  svg.replaceChildren();
}

new ResizeObserver(() => { if (known) show(known); }).observe(svg);
look();
setInterval(look, EVERY);
document.addEventListener('visibilitychange', look);
