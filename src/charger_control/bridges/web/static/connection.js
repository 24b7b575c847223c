// The WebSocket: frames as they come, and a new connection whenever it is lost.

const RETRY = [500, 1000, 2000, 5000];   // ms between attempts
const SILENT = 6000;   // ms without any frame: the bridge sends one a second even when all else is dead

export class Connection {
  // onFrame(topic, message); onOpen() after every connect
  constructor(onFrame, onOpen) {
    Object.assign(this, { onFrame, onOpen, attempts: 0, heard: 0 });
    this.connect();
    setInterval(() => { if (this.open && Date.now() - this.heard > SILENT) this.socket.close(); }, 1000);
    addEventListener('online', () => { if (!this.open) this.socket.close(); });
  }

  get open() { return this.socket.readyState === WebSocket.OPEN; }

  connect() {
    const socket = new WebSocket(new URL('api/ws', document.baseURI.replace(/^http/, 'ws')));
    this.socket = socket;
    socket.onopen = () => { this.attempts = 0; this.heard = Date.now(); this.onOpen(); };
    socket.onmessage = (event) => {
      this.heard = Date.now();
      const { topic, message } = JSON.parse(event.data);
      this.onFrame(topic, message);
    };
    socket.onclose = () => {
      setTimeout(() => this.connect(), RETRY[Math.min(this.attempts++, RETRY.length - 1)]);
    };
  }
}
