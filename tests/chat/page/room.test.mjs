import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Room } from "../../../src/chat/assets/room.js";
import { Socket } from "../../../src/chat/assets/socket.js";
import { begin, FakeWebSocket, pass, randomFrom, settle } from "./fake.mjs";

beforeEach(begin);
afterEach(() => mock.timers.reset());

const message = (seq, user = "grace", clientId = null) => ({
  seq, user, body: `body ${seq}`, at: 1_000 + seq, client_id: clientId,
});
const messages = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => message(from + index));
const seqs = (room) => room.messages.map(({ seq }) => seq);
const states = (room) => room.outbox.map(({ body, state }) => `${body} ${state}`);
const live = (payload) => FakeWebSocket.last.receive(null, null, "room:a", "new_msg", payload);
const posts = () => FakeWebSocket.last.frames("new_msg").map((frame) => frame[4]);

/** A room over a connected socket, before the answer to its join. */
function opened(options = {}) {
  const socket = new Socket("ws://here", { WebSocket: FakeWebSocket });
  const room = new Room("a", "ada", { socket, history: async () => [], ...options });
  room.told = [];
  room.onChange = (what) => room.told.push(what);
  room.open();
  socket.connect();
  FakeWebSocket.last.open();
  return room;
}

/** A room that has joined and has messages up to `last`. */
async function joined(last = 3, options = {}) {
  const room = opened(options);
  const first = Math.max(1, last - 49);
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: last, messages: last === 0 ? [] : messages(first, last) });
  return room;
}

/** Loses the connection and gets a new one. */
async function reconnected(room) {
  FakeWebSocket.last.lose();
  await settle();
  room.channel.socket.hurry();
  FakeWebSocket.last.open();
}

test("the first join asks for the newest, the next for what came after", async () => {
  const room = await joined(3);
  assert.deepEqual(FakeWebSocket.last.frames("phx_join")[0][4], {});
  live(message(4));
  await reconnected(room);
  assert.deepEqual(FakeWebSocket.last.frames("phx_join")[0][4], { after: 4 });
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 6, messages: messages(5, 6) });
  live(message(7));
  assert.deepEqual(seqs(room), [1, 2, 3, 4, 5, 6, 7]);
});

test("an empty room is at 0 and goes on after it", async () => {
  const room = await joined(0);
  assert.deepEqual([room.last, room.older], [0, "none"]);
  live(message(1));
  await reconnected(room);
  assert.deepEqual(FakeWebSocket.last.frames("phx_join")[0][4], { after: 1 });
});

test("a message that is known is not shown twice", async () => {
  const room = await joined(3);
  live(message(3));
  live(message(4));
  live(message(4));
  live(message(2));
  assert.deepEqual(seqs(room), [1, 2, 3, 4]);
});

test("a gap is not shown but filled by a new join", async () => {
  const room = await joined(3);
  live(message(6));
  assert.deepEqual(seqs(room), [1, 2, 3]);
  const join = FakeWebSocket.last.frames("phx_join").at(-1);
  assert.deepEqual(join[4], { after: 3 });
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 6, messages: messages(4, 6) });
  assert.deepEqual(seqs(room), [1, 2, 3, 4, 5, 6]);
});

test("a server with fewer messages than are known here is right", async () => {
  const room = await joined(9);
  await reconnected(room);
  await FakeWebSocket.last.answer("phx_join", "error", { reason: "bad_after" });
  assert.deepEqual([seqs(room), room.last], [[], null]);
  await pass(1_250);
  assert.deepEqual(FakeWebSocket.last.frames("phx_join").at(-1)[4], {});
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 2, messages: messages(1, 2) });
  assert.deepEqual(seqs(room), [1, 2]);
});

test("who is far behind begins with the newest", async () => {
  let newest = 503;
  const room = await joined(3, { newestKnown: () => newest });
  await reconnected(room);
  assert.deepEqual(FakeWebSocket.last.frames("phx_join")[0][4], { after: 3 });
  newest = 504;
  await reconnected(room);
  assert.deepEqual(FakeWebSocket.last.frames("phx_join")[0][4], {});
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 504, messages: messages(455, 504) });
  assert.deepEqual([room.messages[0].seq, room.last, room.older], [455, 504, "more"]);
});

test("a room that is not there is told, and can come to be", async () => {
  const room = opened();
  await FakeWebSocket.last.answer("phx_join", "error", { reason: "not_found" });
  assert.equal(room.status, "missing");
  room.open();
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 0, messages: [] });
  assert.equal(room.status, "joined");
});

test("a post leaves the outbox with its broadcast, whichever of answer and broadcast comes first", async () => {
  const room = await joined(3);
  room.post("one");
  assert.deepEqual(states(room), ["one sending"]);
  await FakeWebSocket.last.answer("new_msg", "ok", { seq: 4, at: 7 });
  assert.deepEqual(states(room), ["one sent"]);
  live(message(4, "ada", room.outbox[0].client_id));
  assert.deepEqual(states(room), []);

  room.post("two");
  live(message(5, "ada", room.outbox[0].client_id));
  assert.deepEqual(states(room), []);
  await FakeWebSocket.last.answer("new_msg", "ok", { seq: 5, at: 8 });
  assert.deepEqual(seqs(room), [1, 2, 3, 4, 5]);
});

test("somebody else's client_id does not take a post away", async () => {
  const room = await joined(3);
  room.post("mine");
  live(message(4, "grace", room.outbox[0].client_id));
  assert.deepEqual(states(room), ["mine sending"]);
});

test("posts go one at a time, in order", async () => {
  const room = await joined(3);
  room.post("one");
  room.post("two");
  assert.deepEqual(posts().map(({ body }) => body), ["one"]);
  await FakeWebSocket.last.answer("new_msg", "ok", { seq: 4, at: 7 });
  assert.deepEqual(posts().map(({ body }) => body), ["one", "two"]);
});

test("a post whose answer was lost is sent again under the same id", async () => {
  const room = await joined(3);
  room.post("one");
  const [{ client_id: id }] = posts();
  await reconnected(room);
  assert.deepEqual(states(room), ["one queued"]);
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 3, messages: [] });
  assert.deepEqual(posts(), [{ body: "one", client_id: id }]);
});

test("a post that arrived although its answer was lost is not sent again", async () => {
  const room = await joined(3);
  room.post("one");
  const [{ client_id: id }] = posts();
  await reconnected(room);
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 4, messages: [message(4, "ada", id)] });
  assert.deepEqual(posts(), []);
  assert.deepEqual(states(room), []);
});

test("a repetition of a post that is known by now is taken as done", async () => {
  const room = await joined(3, { kept: [{ client_id: "x", body: "old", at: 0 }] });
  assert.deepEqual(posts(), [{ body: "old", client_id: "x" }]);
  await FakeWebSocket.last.answer("new_msg", "ok", { seq: 2, at: 7 });
  assert.deepEqual(states(room), []);
});

test("rate_limited and busy wait as long as they are told to, and keep the order", async () => {
  for (const reason of ["rate_limited", "busy"]) {
    begin();
    const room = await joined(3);
    room.post("one");
    room.post("two");
    await FakeWebSocket.last.answer("new_msg", "error", { reason, retry_after_ms: 700 });
    assert.deepEqual(states(room), ["one waiting", "two queued"]);
    assert.equal(room.outbox[0].retryAt, Date.now() + 700);
    await pass(699);
    assert.equal(posts().length, 1);
    await pass(1);
    assert.deepEqual(posts().map(({ body }) => body), ["one", "one"]);
    assert.equal(posts()[0].client_id, posts()[1].client_id);
  }
});

test("a post that waited when the connection went is sent after the join, and only then", async () => {
  const room = await joined(3);
  room.post("one");
  await FakeWebSocket.last.answer("new_msg", "error", { reason: "rate_limited", retry_after_ms: 5_000 });
  await reconnected(room);
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 3, messages: [] });
  await pass(5_000);
  assert.equal(posts().length, 1);
});

test("storage, invalid and too_long fail, and the next post goes on", async () => {
  for (const reason of ["storage", "invalid", "too_long"]) {
    begin();
    const room = await joined(3);
    room.post("one");
    room.post("two");
    await FakeWebSocket.last.answer("new_msg", "error", { reason });
    assert.deepEqual(states(room), ["one failed", "two sending"]);
    assert.equal(room.outbox[0].reason, reason);
  }
});

test("a failed post is sent again under its old id, or discarded", async () => {
  const room = await joined(3);
  room.post("one");
  await FakeWebSocket.last.answer("new_msg", "error", { reason: "storage" });
  const id = room.outbox[0].client_id;
  room.retry(id);
  assert.deepEqual(posts().map((post) => post.client_id), [id, id]);
  assert.equal(room.discard(id), null, "not while it is under way");
  await FakeWebSocket.last.answer("new_msg", "error", { reason: "storage" });
  assert.equal(room.discard(id), "one");
  assert.deepEqual(states(room), []);
});

test("a waiting post can be discarded, and lets the next one go", async () => {
  const room = await joined(3);
  room.post("one");
  room.post("two");
  await FakeWebSocket.last.answer("new_msg", "error", { reason: "busy", retry_after_ms: 60_000 });
  room.discard(room.outbox[0].client_id);
  assert.deepEqual(states(room), ["two sending"]);
});

test("a post without any answer is sent three times and then asks its author", async () => {
  const room = await joined(3);
  room.post("one");
  for (const expected of ["one sending", "one sending", "one failed"]) {
    await pass(10_000);
    // The line itself is well.
    for (const beat of FakeWebSocket.last.frames("heartbeat")) {
      FakeWebSocket.last.receive(null, beat[1], "phoenix", "phx_reply", { status: "ok", response: {} });
    }
    assert.deepEqual(states(room), [expected]);
  }
  assert.equal(new Set(posts().map((post) => post.client_id)).size, 1);
});

test("a server that has forgotten the join is joined again before the post is", async () => {
  const room = await joined(3);
  room.post("one");
  await FakeWebSocket.last.answer("new_msg", "error", { reason: "unmatched topic" });
  assert.deepEqual(FakeWebSocket.last.frames("phx_join").at(-1)[4], { after: 3 });
  assert.equal(posts().length, 1);
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 3, messages: [] });
  assert.equal(posts().length, 2);
  assert.equal(room.outbox.length, 1);
});

test("unsent posts are kept for a reload, without what is only of the moment", async () => {
  let kept = null;
  const room = await joined(3, { keep: (list) => (kept = list) });
  room.post("one");
  assert.deepEqual(kept.map((post) => Object.keys(post).sort()), [["at", "body", "client_id"]]);
  live(message(4, "ada", room.outbox[0].client_id));
  assert.deepEqual(kept, []);
});

test("the hundred and first unsent post is refused", async () => {
  const room = opened();
  for (let n = 0; n < 100; n += 1) assert.ok(room.post(`n ${n}`));
  assert.equal(room.post("one more"), false);
  assert.equal(new Set(room.outbox.map((post) => post.client_id)).size, 100);
});

test("the page is told what has changed, and with what", async () => {
  const room = opened({ history: async (name, before) => messages(before - 2, before - 1) });
  const told = [];
  room.onChange = (what, detail) => told.push(detail === undefined ? [what] : [what, detail]);
  const take = () => told.splice(0);
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 10, messages: messages(5, 10), read_seq: 4 });
  assert.deepEqual(take(), [["status"], ["reset"], ["read", 4]]);
  live(message(11));
  assert.deepEqual(take(), [["appended", [message(11)]]]);
  await room.loadOlder();
  assert.deepEqual(take(), [["older"], ["prepended", messages(3, 4)]]);
  for (const next of messages(12, 810)) live(next);
  take();
  room.trim();
  assert.deepEqual(take(), [["trimmed"]]);
  const hear = (event, payload) => FakeWebSocket.last.receive(null, null, "room:a", event, payload);
  hear("presence_state", {});
  hear("presence_diff", {});
  hear("read", { read_seq: 9 });
  hear("new_msg", message(811));
  assert.deepEqual(take(), [["presence"], ["presence"], ["read", 9], ["appended", [message(811)]]]);
  await reconnected(room);
  assert.deepEqual(take(), [["status"], ["outbox"]]);
  await FakeWebSocket.last.answer("phx_join", "error", { reason: "bad_after" });
  assert.deepEqual(take(), [["reset"]]);
  assert.deepEqual(seqs(room), []);
});

test("a room that is closed has left, and tells nothing any more", async () => {
  const room = await joined(3);
  room.post("on its way");
  assert.deepEqual(FakeWebSocket.last.frames("phx_leave"), []);
  room.close();
  room.told.length = 0;
  await settle();
  live(message(4));
  assert.equal(FakeWebSocket.last.frames("phx_leave").length, 1);
  assert.deepEqual([room.told, seqs(room)], [[], [1, 2, 3]]);
});

test("only what has failed is tried again", async () => {
  const room = await joined(3);
  room.post("one");
  room.retry(room.outbox[0].client_id);
  room.retry("nobody's");
  assert.deepEqual([states(room), posts().length], [["one sending"], 1]);
});

test("there is nothing before what is not here, and little is not cut", async () => {
  const asked = [];
  const room = opened({ history: async () => asked.push("asked") });
  await room.loadOlder();
  assert.deepEqual([asked, room.older], [[], "more"]);
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 3, messages: messages(1, 3) });
  room.trim();
  assert.deepEqual([seqs(room), room.older], [[1, 2, 3], "none"]);
  assert.ok(!room.told.includes("trimmed"));
});

test("a post that was kept over a reload and is in the room is not sent again", async () => {
  const kept = [{ client_id: "k", body: "kept", at: 1 }, { client_id: "l", body: "lost", at: 2 }];
  const room = opened({ kept });
  const stored = [message(1), message(2, "ada", "k")];
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 2, messages: stored });
  assert.deepEqual(posts().map(({ client_id: id }) => id), ["l"]);
  assert.deepEqual(states(room), ["lost sending"]);
});

test("older messages join on in front, until the first", async () => {
  const asked = [];
  const history = async (name, before, limit) => {
    asked.push([name, before, limit]);
    return messages(Math.max(1, before - limit), before - 1);
  };
  const room = await joined(120, { history });
  await room.loadOlder();
  assert.deepEqual([room.messages[0].seq, room.older], [21, "more"]);
  await room.loadOlder();
  assert.deepEqual([room.messages[0].seq, room.older], [1, "none"]);
  await room.loadOlder();
  assert.deepEqual(asked, [["a", 71, 50], ["a", 21, 50]]);
  assert.deepEqual(seqs(room), messages(1, 120).map(({ seq }) => seq));
});

test("older messages are asked for once at a time, and again after a failure", async () => {
  let fail = true;
  let asked = 0;
  const history = async (_, before) => {
    asked += 1;
    if (fail) throw new Error("no answer");
    return messages(before - 50, before - 1);
  };
  const room = await joined(120, { history });
  await Promise.all([room.loadOlder(), room.loadOlder()]);
  assert.deepEqual([asked, room.older], [1, "failed"]);
  fail = false;
  await room.loadOlder();
  assert.equal(room.messages[0].seq, 21);
});

test("an answer about a past that is gone is not mixed in", async () => {
  let answer;
  const history = () => new Promise((resolve) => (answer = resolve));
  const room = await joined(120, { history });
  const loading = room.loadOlder();
  await reconnected(room);
  await FakeWebSocket.last.answer("phx_join", "error", { reason: "bad_after" });
  answer(messages(21, 70));
  await loading;
  assert.deepEqual(seqs(room), []);
});

test("a busy room is cut to its newest messages, and the past can be fetched again", async () => {
  const room = await joined(3, { history: async (_, before) => messages(before - 50, before - 1) });
  for (let seq = 4; seq <= 900; seq += 1) live(message(seq));
  room.trim();
  assert.deepEqual([room.messages.length, room.messages[0].seq, room.older], [400, 501, "more"]);
  await room.loadOlder();
  assert.deepEqual([room.messages[0].seq, room.last], [451, 900]);
});

const reads = () => FakeWebSocket.last.frames("read").map((frame) => frame[4].seq);

test("how far the reader has got is told at once, and then once a second", async () => {
  const room = await joined(9);
  for (const seq of [2, 3, 5, 4]) room.read(seq);
  assert.deepEqual(reads(), [2]);
  await FakeWebSocket.last.answer("read", "ok", { read_seq: 2 });
  await pass(999);
  assert.deepEqual(reads(), [2]);
  await pass(1);
  assert.deepEqual(reads(), [2, 5]);
  await FakeWebSocket.last.answer("read", "ok", { read_seq: 5 });
  await pass(5_000);
  assert.deepEqual([reads(), room.readSeq], [[2, 5], 5]);
});

test("what was read elsewhere is known here, and not told again", async () => {
  const room = await joined(9);
  room.read(2);
  await FakeWebSocket.last.answer("read", "ok", { read_seq: 2 });
  room.told = [];
  FakeWebSocket.last.receive(null, null, "room:a", "read", { read_seq: 7 });
  FakeWebSocket.last.receive(null, null, "room:a", "read", { read_seq: 4 });
  assert.deepEqual([room.readSeq, room.told], [7, ["read"]]);
  room.read(6);
  await pass(5_000);
  assert.deepEqual(reads(), [2]);
});

test("a cursor that could not be told is told later, and after a reconnect", async () => {
  const room = await joined(9);
  room.read(4);
  await FakeWebSocket.last.answer("read", "error", { reason: "rate_limited", retry_after_ms: 300 });
  await pass(300);
  assert.deepEqual(reads(), [4, 4]);
  await FakeWebSocket.last.answer("read", "error", { reason: "storage" });
  await reconnected(room);
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 9, messages: [], read_seq: 3 });
  assert.deepEqual(reads(), [4]);
  // Its data are older than what was read here: that is no reason to ask for ever.
  await FakeWebSocket.last.answer("read", "error", { reason: "bad_seq", last_seq: 2 });
  await pass(60_000);
  assert.deepEqual(reads(), [4]);
});

test("a join tells how far the user has read", async () => {
  const room = opened();
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 3, messages: messages(1, 3), read_seq: 2 });
  assert.equal(room.readSeq, 2);
  room.read(2);
  assert.deepEqual(reads(), []);
  room.read(3);
  assert.deepEqual(reads(), [3]);
});

test("a slow reader that was closed resumes after what it has, and its posts go on", async () => {
  const room = await joined(3);
  live(message(4));
  room.post("one");
  const [{ client_id: id }] = posts();
  FakeWebSocket.last.lose(4408);
  await settle();
  await pass(1_000);
  FakeWebSocket.last.open();
  assert.deepEqual(FakeWebSocket.last.frames("phx_join")[0][4], { after: 4 });
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 6, messages: messages(5, 6) });
  live(message(7));
  assert.deepEqual(seqs(room), [1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(posts(), [{ body: "one", client_id: id }]);
});

test("presence is expected anew with each join", async () => {
  const room = await joined(3);
  const state = (...names) => Object.fromEntries(names.map((name) => [name, { metas: [{ phx_ref: name }] }]));
  FakeWebSocket.last.receive("1", null, "room:a", "presence_state", state("ada", "grace"));
  assert.deepEqual(room.presence.names(), ["ada", "grace"]);
  await reconnected(room);
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 3, messages: [] });
  FakeWebSocket.last.receive(null, null, "room:a", "presence_diff", { joins: state("linus"), leaves: {} });
  FakeWebSocket.last.receive("2", null, "room:a", "presence_state", state("ada"));
  assert.deepEqual(room.presence.names(), ["ada", "linus"]);
});

/** A server that breaks everywhere it may: before and after the commit, with and without an answer. */
class UnreliableServer {
  constructor(random) {
    this.random = random;
    this.log = [];
    this.heard = new WeakMap();
    this.joinRef = new WeakMap();
  }

  chance(probability) {
    return this.random() < probability;
  }

  /** Handles what came since the last time; `true` if there was anything. */
  serve(socket, reliable) {
    const from = this.heard.get(socket) ?? 0;
    const frames = socket.sent.slice(from);
    for (const frame of frames) {
      this.heard.set(socket, (this.heard.get(socket) ?? 0) + 1);
      if (!reliable && this.chance(0.08)) return this.break(socket);
      this.handle(socket, frame, reliable);
      if (socket.closed) return true;
    }
    return frames.length > 0;
  }

  break(socket) {
    socket.closed = true;
    socket.lose();
    return true;
  }

  handle(socket, [joinRef, ref, topic, event, payload], reliable) {
    const reply = (status, response) => socket.receive(joinRef, ref, topic, "phx_reply", { status, response });
    if (event === "phx_join") {
      this.joinRef.set(socket, joinRef);
      const after = payload.after ?? Math.max(0, this.log.length - 50);
      const answer = this.log.slice(after, after + 3);
      const seq = after + answer.length;
      reply("ok", { seq, messages: answer });
      for (const missing of this.log.slice(seq)) socket.receive(null, null, topic, "new_msg", missing);
    } else if (event === "new_msg") {
      if (!reliable && this.chance(0.15)) return reply("error", { reason: "busy", retry_after_ms: 100 });
      let stored = this.log.find((known) => known.client_id === payload.client_id);
      const fresh = stored === undefined;
      if (fresh) {
        stored = { seq: this.log.length + 1, user: "ada", at: 0, ...payload };
        this.log.push(stored);
      }
      if (!reliable && this.chance(0.15)) return this.break(socket);
      const replyFirst = this.chance(0.5);
      if (replyFirst) reply("ok", { seq: stored.seq, at: stored.at });
      if (fresh || this.chance(0.1)) socket.receive(null, null, topic, "new_msg", stored);
      if (!replyFirst) reply("ok", { seq: stored.seq, at: stored.at });
    } else if (event === "heartbeat") {
      reply("ok", {});
    }
    return undefined;
  }

  /** Somebody else says something. */
  say(socket) {
    const said = { seq: this.log.length + 1, user: "grace", body: "…", at: 0, client_id: null };
    this.log.push(said);
    if (!socket.closed && this.joinRef.has(socket)) socket.receive(null, null, "room:a", "new_msg", said);
  }
}

test("whatever breaks, every post is in the room once, in order, and the page shows the room as it is", async () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    begin();
    const random = randomFrom(seed);
    const server = new UnreliableServer(random);
    const socket = new Socket("ws://here", { WebSocket: FakeWebSocket });
    const room = new Room("a", "ada", { socket, history: async () => [] });
    room.open();
    socket.connect();
    let written = 0;
    for (let step = 0; step < 120; step += 1) {
      const current = FakeWebSocket.last;
      if (socket.state === "connecting") current.open();
      if (written < 20 && server.chance(0.3)) room.post(`post ${(written += 1)}`);
      if (server.chance(0.1)) server.say(current);
      if (socket.state === "open") server.serve(current, false);
      if (socket.state === "open" && server.chance(0.02)) server.break(current);
      await pass(server.chance(0.3) ? 2_000 : 20);
    }
    for (let step = 0; step < 400 && (room.outbox.length > 0 || room.last !== server.log.length); step += 1) {
      if (socket.state === "connecting") FakeWebSocket.last.open();
      if (socket.state === "open") server.serve(FakeWebSocket.last, true);
      await pass(500);
    }
    const mine = server.log.filter(({ user }) => user === "ada").map(({ body }) => body);
    const wanted = Array.from({ length: written }, (_, n) => `post ${n + 1}`);
    assert.deepEqual(mine, wanted, `seed ${seed}`);
    assert.deepEqual(room.outbox, [], `seed ${seed}`);
    const shown = room.messages.map(({ seq, body }) => [seq, body]);
    const stored = server.log.slice(-shown.length).map(({ seq, body }) => [seq, body]);
    assert.deepEqual(shown, stored, `seed ${seed}`);
    room.close();
    socket.close();
    await settle();
  }
});
