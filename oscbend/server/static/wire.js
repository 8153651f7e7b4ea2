// The two ways to the server: OSC with OSCQuery, and what the monitor tells.

import { decode, encode } from "./osc.js";

const here = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}`;
const AGAIN_MS = 1000;

/** The token of the page's address, kept for this tab and taken out of what others can read. */
function token() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) {
    sessionStorage.setItem("token", found);
    history.replaceState(null, "", location.pathname);
  }
  const kept = found ?? sessionStorage.getItem("token");
  return kept ? `?token=${encodeURIComponent(kept)}` : "";
}

const query = token();

/** OSC both ways, values that are listened to, and the tree that they hang in. */
export class Wire extends EventTarget {
  constructor() {
    super();
    this.tree = null;
    this.listeners = new Map();
    this.pending = new Map();
    this.connect();
  }

  connect() {
    const socket = (this.socket = new WebSocket(`${here}/${query}`));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      for (const address of this.listeners.keys()) this.tell("LISTEN", address);
      this.refresh();
    };
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.changed() : this.heard(decode(data)));
    socket.onclose = () => setTimeout(() => this.connect(), AGAIN_MS);
  }

  tell(command, address) {
    if (this.socket.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify({ COMMAND: command, DATA: address }));
    }
  }

  /** Sends a message; without types they are guessed from the arguments, numbers as floats. */
  send(address, args = [], types = args.map((a) => (typeof a === "string" ? "s" : "f")).join("")) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(encode(address, types, args));
  }

  /** Sends at most once for each picture of the screen, always the newest: what a slider does. */
  glide(address, args, types) {
    if (!this.pending.size) {
      requestAnimationFrame(() => {
        for (const [to, [values, tags]] of this.pending) this.send(to, values, tags);
        this.pending.clear();
      });
    }
    this.pending.set(address, [args, types]);
  }

  /** Calls back with the arguments whenever the value at an address is another. */
  listen(address, call) {
    if (!this.listeners.has(address)) {
      this.listeners.set(address, new Set());
      this.tell("LISTEN", address);
    }
    this.listeners.get(address).add(call);
    return () => {
      const calls = this.listeners.get(address);
      calls?.delete(call);
      if (calls && !calls.size) {
        this.listeners.delete(address);
        this.tell("IGNORE", address);
      }
    };
  }

  heard(message) {
    const calls = this.listeners.get(message.address);
    if (calls) for (const call of calls) call(message.args);
    else this.dispatchEvent(new CustomEvent("reply", { detail: message }));
  }

  changed() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.refresh(), 60);
  }

  async refresh() {
    try {
      this.tree = await (await fetch("/", { headers: { accept: "application/json" } })).json();
    } catch {
      return; // the server has gone; the socket connects again when it is back
    }
    this.dispatchEvent(new Event("tree"));
  }

  /** The node at an address, or undefined. */
  node(address) {
    let found = this.tree;
    for (const part of address.split("/").slice(1)) found = found?.CONTENTS?.[part];
    return found;
  }
}

/** What the monitor tells, asked for whenever the last of it has been shown. */
export function watch(onNews, onPicture, onState) {
  const socket = new WebSocket(`${here}/page/live${query}`);
  socket.binaryType = "arraybuffer";
  const next = () =>
    requestAnimationFrame(() => socket.readyState === WebSocket.OPEN && socket.send("next"));
  socket.onopen = () => {
    onState(true);
    next();
  };
  socket.onmessage = async ({ data }) => {
    if (typeof data === "string") {
      const news = JSON.parse(data);
      onNews(news);
      if (!news.picture) next();
    } else {
      await onPicture(new Blob([data], { type: "image/jpeg" }));
      next();
    }
  };
  socket.onclose = () => {
    onState(false);
    setTimeout(() => watch(onNews, onPicture, onState), AGAIN_MS);
  };
}
