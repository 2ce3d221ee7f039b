// One room as this page knows it: its messages, its unsent posts, who is there. No elements in here.
//
// Invariants:
//   1. `messages` is a stretch of the room's history without gaps: seq rises by one from each to the next.
//   2. `last` is the seq of the newest message known, and is what a rejoin asks to go on after.
//   3. A post keeps its client_id however often it is sent, and leaves the outbox only when it is known to be in
//      the room, or when its author discards it.
//   4. Posts are sent in the order in which they were written, one at a time.
//   5. `readSeq`, how far the user has read as the server knows it, never goes back while the server's data stay.

import { Presence } from "./presence.js";
import { Timers } from "./timers.js";

/** Messages fetched at once when going back. */
const PAGE = 50;
/** Messages kept while the reader is at the end of a busy room, and how many are left after cutting. */
const KEPT_MAX = 800;
const KEPT_MIN = 400;
/** Further behind than this, the page begins anew with the newest messages instead of catching up. */
const BEHIND_MAX = 500;
/** Unsent posts of one room. */
const OUTBOX_MAX = 100;
/** How often a post without any answer is sent before its author is asked. */
const SILENT_TRIES_MAX = 3;
/** Waiting before a refused post is sent again, if the server gives no time. */
const RETRY_MS = 1_000;

/** How often the server is told how far the reader has got. */
const READ_MS = 1_000;
/** Waiting before it is told again what it could not take. */
const READ_RETRY_MS = 5_000;

/** Refusals that end by waiting. The others need the author. */
const PASSING = new Set(["busy", "rate_limited"]);

/**
 * `me` is the name of the user, `history(name, before, limit)` fetches older messages, `keep(posts)` stores unsent
 * posts over a reload of the page, `newestKnown()` is the room's seq as the room list has it. `onChange(what,
 * detail)` reports: "reset", "appended" (messages), "prepended", "trimmed", "older", "outbox", "presence", "status", "read" (seq).
 */
export class Room {
  constructor(name, me, { socket, history, keep = () => {}, kept = [], newestKnown = () => 0 }) {
    this.name = name;
    this.me = me;
    this.history = history;
    this.keep = keep;
    this.newestKnown = newestKnown;
    this.onChange = () => {};
    this.messages = [];
    this.last = null;
    /** What is known of older messages: "more", "loading", "failed", or "none" when all are here. */
    this.older = "more";
    /** "joining", "joined", or "missing" if there is no such room. */
    this.status = "joining";
    this.presence = new Presence();
    /** How far the user has read: what the server knows, and what it is to know. */
    this.readSeq = 0;
    this.readHere = 0;
    this.tellingRead = false;
    this.outbox = kept.map((post) => ({ ...post, state: "queued", reason: null, retryAt: null, tries: 0 }));
    this.timers = new Timers();
    /** Changes with every reset, so that an answer from before is not mixed in. */
    this.epoch = 0;
    this.channel = socket.channel(`room:${name}`, () => this.#joinParams(), {
      joined: (response) => this.#joined(response),
      refused: (response) => this.#refused(response),
      left: () => this.#left(),
      event: (event, payload) => this.#event(event, payload),
    });
  }

  open() {
    this.channel.join();
  }

  close() {
    this.timers.clearAll();
    this.channel.leave();
    this.onChange = () => {};
  }

  /** Puts a post into the outbox. `false`: there are too many already. */
  post(body) {
    if (this.outbox.length >= OUTBOX_MAX) return false;
    const post = { client_id: newClientId(), body, at: Date.now() };
    this.outbox.push({ ...post, state: "queued", reason: null, retryAt: null, tries: 0 });
    this.#outboxChanged();
    this.#pump();
    return true;
  }

  /** Sends a failed post again, under its old client_id: perhaps it did arrive. */
  retry(clientId) {
    const post = this.#find(clientId);
    if (post?.state !== "failed") return;
    Object.assign(post, { state: "queued", reason: null, tries: 0 });
    this.#outboxChanged();
    this.#pump();
  }

  /** Takes a post out of the outbox, unless it is being sent just now. Gives its text. */
  discard(clientId) {
    const post = this.#find(clientId);
    if (!post || post.state === "sending" || post.state === "sent") return null;
    if (post.state === "waiting") this.timers.clear("retry");
    this.#remove(post);
    this.#pump();
    return post.body;
  }

  /** The reader has got so far. The server is told, for the user's other devices. */
  read(seq) {
    if (seq <= this.readHere) return;
    this.readHere = seq;
    this.#tellRead();
  }

  /** Fetches the page before the oldest message. */
  async loadOlder() {
    if (this.older !== "more" && this.older !== "failed") return;
    if (this.messages.length === 0) return;
    const epoch = this.epoch;
    const before = this.messages[0].seq;
    this.#setOlder("loading");
    let page;
    try {
      page = await this.history(this.name, before, PAGE);
    } catch {
      if (epoch === this.epoch) this.#setOlder("failed");
      return;
    }
    if (epoch !== this.epoch || this.messages[0]?.seq !== before) return;
    // Only what joins on without a gap (invariant 1).
    const fits = page.length > 0 && page[page.length - 1].seq === before - 1;
    if (fits) this.messages.unshift(...page);
    this.older = !fits || this.messages[0].seq === 1 ? "none" : "more";
    this.onChange("prepended", fits ? page : []);
  }

  /** Lets go of the oldest messages. Called while the reader is at the newest. */
  trim() {
    if (this.messages.length <= KEPT_MAX) return;
    this.messages.splice(0, this.messages.length - KEPT_MIN);
    this.older = "more";
    this.epoch += 1;
    this.onChange("trimmed");
  }

  #joinParams() {
    if (this.last !== null && this.newestKnown() - this.last > BEHIND_MAX) this.#reset();
    this.presence.expectState();
    return this.last === null ? {} : { after: this.last };
  }

  #joined({ seq, messages, read_seq: readSeq = 0 }) {
    this.readSeq = readSeq;
    if (this.last === null) {
      this.messages = [...messages];
      this.last = seq;
      this.older = seq === 0 || messages[0]?.seq === 1 ? "none" : "more";
      this.epoch += 1;
      this.#settleOutbox(messages);
      this.#setStatus("joined");
      this.onChange("reset");
    } else {
      this.#setStatus("joined");
      for (const message of messages) this.#receive(message);
    }
    this.onChange("read", readSeq);
    this.#pump();
    this.#tellRead();
  }

  #refused(response) {
    if (response.reason === "bad_after") {
      // The server has fewer messages than were seen here: its data are older. What it has is what counts.
      this.#reset();
      this.onChange("reset");
      return true;
    }
    if (response.reason === "not_found") {
      this.#setStatus("missing");
      return false;
    }
    return true;
  }

  #left() {
    // Whether a post under way arrived is unknown; it is sent again, and the client_id makes that harmless.
    for (const post of this.outbox) {
      if (post.state !== "failed") Object.assign(post, { state: "queued", retryAt: null });
    }
    this.timers.clear("retry");
    this.timers.clear("read");
    this.tellingRead = false;
    this.#setStatus("joining");
    this.onChange("outbox");
  }

  #event(event, payload) {
    switch (event) {
      case "new_msg":
        this.#receive(payload);
        break;
      case "read":
        this.#wasRead(payload.read_seq);
        break;
      case "presence_state":
        this.presence.state(payload);
        this.onChange("presence");
        break;
      case "presence_diff":
        this.presence.diff(payload);
        this.onChange("presence");
        break;
    }
  }

  #receive(message) {
    if (this.last === null || message.seq <= this.last) return;
    if (message.seq > this.last + 1) {
      // A gap cannot be shown (invariant 1). The server can tell what is between; if it is being asked already,
      // its answer will go on from `last`, and this message will come again.
      if (this.status === "joined") this.channel.rejoin();
      return;
    }
    this.messages.push(message);
    this.last = message.seq;
    this.#settleOutbox([message]);
    this.onChange("appended", [message]);
  }

  /** Takes posts out of the outbox that are among `messages`. */
  #settleOutbox(messages) {
    for (const message of messages) {
      if (message.user !== this.me || message.client_id === null) continue;
      const post = this.#find(message.client_id);
      if (post) this.#remove(post);
    }
  }

  /** Sends the first post that can be sent, if none is under way (invariant 4). */
  async #pump() {
    if (this.status !== "joined") return;
    if (this.outbox.some((post) => post.state === "sending" || post.state === "waiting")) return;
    const post = this.outbox.find((candidate) => candidate.state === "queued");
    if (!post) return;
    post.state = "sending";
    this.onChange("outbox");
    const answer = await this.channel.push("new_msg", { body: post.body, client_id: post.client_id });
    // Settled meanwhile by the broadcast, or put back into the queue because the channel went.
    if (post.state === "sending" && this.outbox.includes(post)) this.#answered(post, answer);
    this.#pump();
  }

  #answered(post, { status, response }) {
    if (status === "ok") {
      if (response.seq <= this.last) {
        // The message is here already, or it is older than all that is kept.
        this.#remove(post);
      } else {
        Object.assign(post, { state: "sent", at: response.at });
        this.onChange("outbox");
      }
      return;
    }
    if (status === "closed") {
      post.state = "queued";
    } else if (status === "timeout") {
      post.tries += 1;
      if (post.tries < SILENT_TRIES_MAX) post.state = "queued";
      else Object.assign(post, { state: "failed", reason: "timeout" });
    } else if (response.reason === "unmatched topic") {
      // The server has forgotten the join.
      post.state = "queued";
      this.channel.rejoin();
    } else if (PASSING.has(response.reason)) {
      this.#waitAndRetry(post, response);
    } else {
      Object.assign(post, { state: "failed", reason: response.reason ?? "error" });
    }
    this.#outboxChanged();
  }

  #waitAndRetry(post, { reason, retry_after_ms: asked }) {
    const delay = Number.isFinite(asked) ? Math.max(asked, 50) : RETRY_MS;
    Object.assign(post, { state: "waiting", reason, retryAt: Date.now() + delay });
    this.timers.set("retry", delay, () => {
      Object.assign(post, { state: "queued", retryAt: null });
      this.#pump();
    });
  }

  /** Tells the server how far the reader has got, if it does not know; once at a time, and then not for a while. */
  async #tellRead() {
    if (this.status !== "joined" || this.tellingRead || this.readHere <= this.readSeq) return;
    this.tellingRead = true;
    const { status, response } = await this.channel.push("read", { seq: this.readHere });
    // A join that has come to its end: the next one begins anew.
    if (status === "closed") return;
    if (status === "ok") this.#wasRead(response.read_seq);
    else if (response.reason === "bad_seq") this.readHere = Math.min(this.readHere, response.last_seq);
    const wait = status === "ok" ? READ_MS : (response.retry_after_ms ?? READ_RETRY_MS);
    this.timers.set("read", wait, () => {
      this.tellingRead = false;
      this.#tellRead();
    });
  }

  #wasRead(seq) {
    if (seq <= this.readSeq) return;
    this.readSeq = seq;
    this.onChange("read", seq);
  }

  #find(clientId) {
    return this.outbox.find((post) => post.client_id === clientId);
  }

  #remove(post) {
    this.outbox.splice(this.outbox.indexOf(post), 1);
    this.#outboxChanged();
  }

  #outboxChanged() {
    this.keep(this.outbox.map(({ client_id, body, at }) => ({ client_id, body, at })));
    this.onChange("outbox");
  }

  #reset() {
    this.messages = [];
    this.last = null;
    this.readHere = 0;
    this.older = "more";
    this.epoch += 1;
  }

  #setStatus(status) {
    if (this.status === status) return;
    this.status = status;
    this.onChange("status");
  }

  #setOlder(older) {
    this.older = older;
    this.onChange("older");
  }
}

/** 128 random bits. `crypto.randomUUID` is not there on a page that came over plain HTTP from another machine. */
function newClientId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
