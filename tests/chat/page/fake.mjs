// A WebSocket without a network, and time that moves when told to.

import { mock } from "node:test";

export class FakeWebSocket {
  static all = [];

  constructor(url) {
    this.url = url;
    this.sent = [];
    this.closed = false;
    FakeWebSocket.all.push(this);
  }

  static get last() {
    return FakeWebSocket.all.at(-1);
  }

  send(text) {
    if (this.closed) throw new Error("sent on a closed socket");
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }

  open() {
    this.onopen({});
  }

  receive(...frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  lose(code = 1006) {
    this.onclose({ code });
  }

  /** Frames of an event, oldest first. */
  frames(event) {
    return this.sent.filter((frame) => frame[3] === event);
  }

  /** Answers the newest frame of an event. */
  async answer(event, status, response) {
    const [joinRef, ref, topic] = this.frames(event).at(-1);
    this.receive(joinRef, ref, topic, "phx_reply", { status, response });
    await settle();
  }
}

/** Begins a test with frozen time and no sockets. */
export function begin() {
  FakeWebSocket.all = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
}

/** Lets promises settle; timers stand still. */
export function settle() {
  return new Promise((resolve) => setImmediate(resolve));
}

export async function pass(ms) {
  mock.timers.tick(ms);
  await settle();
}

/** Random numbers that are the same again for the same seed (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
