// A line plot over the last minutes on a canvas. Our own, and not a library from npm: set-up needs
// python3 and a compiler only, no package index of Python has a small plotting library for the
// browser that is kept, and this is a fiftieth of the size of those that it has.

export const SERIES = [
  ['commandedAmperage', 'commanded', '--commanded', [6, 4]],
  ['availableAmperage', 'available', '--available', [2, 3]],
  ['signaledAmperage', 'signaled', '--signaled', []],
  ['amperage1', 'L1', '--l1', []],
  ['amperage2', 'L2', '--l2', []],
  ['amperage3', 'L3', '--l3', []],
];
const KEEP = 1800;   // s
const GAP = 4;   // s without a sample that are a gap, not a line
const MARGIN = { left: 34, right: 8, top: 8, bottom: 22 };

export class Plot {
  constructor(canvas) {
    this.canvas = canvas;
    this.span = 300;
    this.samples = [];   // [s, values in the order of SERIES], oldest first
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }

  // What the bridge kept, in front of what came since; `now` in s of performance.now().
  load(history, now) {
    const older = history.age.map((age, i) => [now - age, SERIES.map(([name]) => history[name][i])]);
    const last = older.length ? older[older.length - 1][0] : -Infinity;
    this.samples = older.concat(this.samples.filter(([at]) => at > last));
    this.draw();
  }

  add(at, values) {
    const before = this.samples[this.samples.length - 1];
    if (before && at - before[0] < 0.45) return;   // frames come at 10 Hz, pixels do not
    this.samples.push([at, values]);
    while (this.samples.length && this.samples[0][0] < at - KEEP) this.samples.shift();
  }

  draw(now = performance.now() / 1000) {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const c = canvas.getContext('2d');
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    const shown = this.samples.filter(([at]) => at >= now - this.span);
    let most = 8;
    for (const [, values] of shown) for (const v of values) if (v > most) most = v;
    const step = most > 40 ? 20 : most > 20 ? 10 : 4;
    const top = Math.ceil((most * 1.05) / step) * step;
    const x = (at) => MARGIN.left + (1 - (now - at) / this.span) * (width - MARGIN.left - MARGIN.right);
    const y = (v) => height - MARGIN.bottom - (v / top) * (height - MARGIN.top - MARGIN.bottom);

    c.font = `12px ${style.fontFamily}`;
    c.fillStyle = style.getPropertyValue('--soft');
    c.strokeStyle = style.getPropertyValue('--line');
    c.lineWidth = 1;
    c.setLineDash([]);
    c.textAlign = 'right';
    for (let v = 0; v <= top; v += step) {
      c.beginPath();
      c.moveTo(MARGIN.left, y(v));
      c.lineTo(width - MARGIN.right, y(v));
      c.stroke();
      c.fillText(v ? String(v) : '0 A', MARGIN.left - 5, y(v) + 4);
    }
    for (let i = 0; i <= 5; i++) {
      if (width < 480 && i && i % 2 === 0) continue;   // no room for them all
      const before = (this.span * i) / 5;
      c.textAlign = { 0: 'right', 5: 'left' }[i] ?? 'center';
      c.fillText(i ? `−${before / 60} min` : 'now', x(now - before), height - 6);
    }
    c.lineJoin = 'round';
    SERIES.forEach(([, , color, dash], series) => {
      c.strokeStyle = style.getPropertyValue(color);
      c.lineWidth = series < 3 ? 2 : 1.25;
      c.setLineDash(dash);
      c.beginPath();
      let last = -Infinity;
      for (const [at, values] of shown) {
        const v = values[series];
        if (v === null) { last = -Infinity; continue; }
        if (at - last > GAP) c.moveTo(x(at), y(v)); else c.lineTo(x(at), y(v));
        last = at;
      }
      c.stroke();
    });
  }
}
