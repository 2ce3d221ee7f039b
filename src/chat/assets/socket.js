// A client for Phoenix Channels, serializer 2.0.0: one socket, many channels. It knows nothing of chat.
//
// A frame is [join_ref, ref, topic, event, payload]. Delivery is at most once; what must arrive is sent again by
// whoever uses this, after a push has answered "closed" or "timeout".

import { Timers } from "./timers.js";

/** As the protocol has it: the server closes a socket that is silent for a minute. */
const HEARTBEAT_MS = 30_000;
/** A server that has not answered a heartbeat for so long is taken for dead. */
const HEARTBEAT_ANSWER_MS = 10_000;
/** A connection that is not up after so long is tried anew: the browser itself would wait for minutes. */
const CONNECT_MS = 10_000;
/** How long a join or a push may go unanswered. */
const ANSWER_MS = 10_000;
/** A connection that held so long was good: the next loss begins with short delays again. */
const STABLE_MS = 10_000;

/**
 * How long to wait before the next attempt: anything from half a second to a ceiling that doubles up to 30 s. All
 * clients of a restarted server wait differently, or they would come back in one wave.
 */
export function backoff(tries, random = Math.random) {
  const ceiling = Math.min(30_000, 1_000 * 2 ** Math.min(tries, 10));
  return 500 + random() * (ceiling - 500);
}

/**
 * A socket that comes back. `onState(state, retryAt)` is told "connecting", "open", "waiting" (with the moment of
 * the next attempt) and "closed". `onFailure()` is told that an attempt did not get through: a browser does not say
 * why, so whoever cares asks over HTTP whether the session still holds.
 */
export class Socket {
  constructor(url, { onState = () => {}, onFailure = () => {}, WebSocket = globalThis.WebSocket } = {}) {
    this.url = url;
    this.onState = onState;
    this.onFailure = onFailure;
    this.WebSocket = WebSocket;
    this.state = "closed";
    this.channels = new Map();
    this.connection = null;
    this.tries = 0;
    this.lastRef = 0;
    this.heartbeatRef = null;
    this.timers = new Timers();
  }

  connect() {
    if (this.state === "closed") this.#open();
  }

  /** Ends the waiting for the next attempt, if there is one. */
  hurry() {
    if (this.state === "waiting") this.#open();
  }

  close() {
    this.#drop();
    this.#become("closed");
    for (const channel of this.channels.values()) channel.disconnected();
  }

  /** The channel of a topic; `params()` is asked for the payload of every join. */
  channel(topic, params, handlers) {
    const channel = new Channel(this, topic, params, handlers);
    this.channels.set(topic, channel);
    return channel;
  }

  nextRef() {
    this.lastRef += 1;
    return String(this.lastRef);
  }

  send(joinRef, ref, topic, event, payload) {
    if (this.state !== "open") return;
    this.connection.send(JSON.stringify([joinRef, ref, topic, event, payload]));
  }

  #open() {
    this.#drop();
    this.#become("connecting");
    const connection = new this.WebSocket(this.url);
    this.connection = connection;
    const current = (act) => (event) => {
      if (this.connection === connection) act(event);
    };
    connection.onopen = current(() => this.#opened());
    connection.onmessage = current((event) => this.#received(event.data));
    connection.onclose = current(() => this.#lost());
    this.timers.set("connect", CONNECT_MS, () => this.#lost());
  }

  #opened() {
    this.timers.clear("connect");
    this.timers.set("stable", STABLE_MS, () => (this.tries = 0));
    this.#become("open");
    this.#scheduleHeartbeat();
    for (const channel of this.channels.values()) channel.connected();
  }

  #lost() {
    const wasOpen = this.state === "open";
    this.#drop();
    const delay = backoff(this.tries);
    this.tries += 1;
    this.timers.set("retry", delay, () => this.#open());
    this.#become("waiting", Date.now() + delay);
    for (const channel of this.channels.values()) channel.disconnected();
    if (!wasOpen) this.onFailure();
  }

  /** Forgets the connection and every timer; what it still reports is ignored. */
  #drop() {
    this.timers.clearAll();
    this.heartbeatRef = null;
    const connection = this.connection;
    this.connection = null;
    if (connection) connection.close();
  }

  #become(state, retryAt = null) {
    this.state = state;
    this.onState(state, retryAt);
  }

  #scheduleHeartbeat() {
    this.timers.set("heartbeat", HEARTBEAT_MS, () => this.probe());
  }

  /** Sends a heartbeat now, if none is under way: a machine that slept learns at once whether the line is dead. */
  probe() {
    if (this.state !== "open" || this.heartbeatRef !== null) return;
    this.heartbeatRef = this.nextRef();
    this.timers.clear("heartbeat");
    this.timers.set("dead", HEARTBEAT_ANSWER_MS, () => this.#lost());
    this.send(null, this.heartbeatRef, "phoenix", "heartbeat", {});
  }

  #received(data) {
    const frame = parse(data);
    if (!frame) return;
    const [joinRef, ref, topic, event, payload] = frame;
    if (topic === "phoenix") {
      if (ref !== this.heartbeatRef) return;
      this.heartbeatRef = null;
      this.timers.clear("dead");
      this.#scheduleHeartbeat();
      return;
    }
    this.channels.get(topic)?.received(joinRef, ref, event, payload);
  }
}

function parse(data) {
  if (typeof data !== "string") return null;
  try {
    const frame = JSON.parse(data);
    return Array.isArray(frame) && frame.length >= 5 ? frame : null;
  } catch {
    return null;
  }
}

/** How long to wait before the next join after one that failed for no stated time. */
const REJOIN_MS = [1_000, 2_000, 5_000, 10_000];

/**
 * One topic on the socket. `handlers`: `joined(response)`, `refused(response)` for an error answer to a join, which
 * returns `false` to give up, `left()` when the channel is no longer joined, `event(name, payload)`.
 */
class Channel {
  constructor(socket, topic, params, handlers) {
    this.socket = socket;
    this.topic = topic;
    this.params = params;
    this.handlers = handlers;
    this.state = "closed";
    this.joinRef = null;
    this.tries = 0;
    this.pending = new Map();
    this.timers = new Timers();
  }

  /** Joins, now or as soon as the socket is open, and again whenever that is needed. */
  join() {
    if (this.state !== "closed") return;
    this.state = "errored";
    this.connected();
  }

  /** Leaves for good. */
  leave() {
    if (this.state === "joined" || this.state === "joining") {
      this.socket.send(this.joinRef, this.socket.nextRef(), this.topic, "phx_leave", {});
    }
    this.#unjoin("closed");
    if (this.socket.channels.get(this.topic) === this) this.socket.channels.delete(this.topic);
  }

  /** Joins anew, with the payload that is right now. */
  rejoin() {
    if (this.state === "closed") return;
    this.#unjoin("errored");
    this.connected();
  }

  /**
   * Sends an event. The promise gives `{status, response}`; the status is the server's ("ok", "error"), or
   * "timeout", or "closed" if the channel was not joined to the end. It is never rejected.
   */
  push(event, payload) {
    if (this.state !== "joined") return Promise.resolve({ status: "closed", response: {} });
    return new Promise((resolve) => this.#request(this.socket.nextRef(), event, payload, resolve));
  }

  connected() {
    if (this.state !== "errored" || this.socket.state !== "open") return;
    this.timers.clearAll();
    this.state = "joining";
    this.joinRef = this.socket.nextRef();
    const joinRef = this.joinRef;
    // Not by a promise: what follows the answer must find the channel joined.
    this.#request(joinRef, "phx_join", this.params(), (answer) => {
      if (this.joinRef === joinRef) this.#answered(answer);
    });
  }

  disconnected() {
    if (this.state !== "closed") this.#unjoin("errored");
  }

  received(joinRef, ref, event, payload) {
    // A message of an earlier join: its channel is gone.
    if (joinRef !== null && joinRef !== this.joinRef) return;
    switch (event) {
      case "phx_reply":
        this.pending.get(ref)?.({ status: payload?.status, response: payload?.response ?? {} });
        break;
      case "phx_error":
      case "phx_close":
        this.#unjoin("errored");
        this.#rejoinLater();
        break;
      default:
        if (this.state === "joined" || this.state === "joining") this.handlers.event(event, payload);
    }
  }

  #request(ref, event, payload, answered) {
    const settle = (answer) => {
      this.timers.clear(ref);
      this.pending.delete(ref);
      answered(answer);
    };
    this.pending.set(ref, settle);
    this.timers.set(ref, ANSWER_MS, () => settle({ status: "timeout", response: {} }));
    this.socket.send(this.joinRef, ref, this.topic, event, payload);
  }

  #answered({ status, response }) {
    if (status === "ok") {
      this.state = "joined";
      this.tries = 0;
      this.handlers.joined(response);
      return;
    }
    if (status === "timeout") {
      // The server may be at it still: it is told that nobody waits.
      this.socket.send(this.joinRef, this.socket.nextRef(), this.topic, "phx_leave", {});
    }
    if (status === "closed") return;
    this.#unjoin("errored");
    if (status === "error" && this.handlers.refused(response) === false) {
      this.state = "closed";
      return;
    }
    this.#rejoinLater(response?.retry_after_ms);
  }

  #rejoinLater(delay) {
    const index = Math.min(this.tries, REJOIN_MS.length - 1);
    this.tries += 1;
    const wait = Number.isFinite(delay) ? delay : REJOIN_MS[index];
    this.timers.set("rejoin", wait * (1 + Math.random() / 4), () => this.connected());
  }

  /** Ends the present join. Whoever waits for an answer gets "closed". */
  #unjoin(state) {
    const wasJoined = this.state === "joined";
    this.state = state;
    this.joinRef = null;
    this.timers.clearAll();
    for (const settle of [...this.pending.values()]) settle({ status: "closed", response: {} });
    if (wasJoined) this.handlers.left();
  }
}
