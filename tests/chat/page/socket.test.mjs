import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { backoff, Socket } from "../../../src/chat/assets/socket.js";
import { begin, FakeWebSocket, pass, settle } from "./fake.mjs";

beforeEach(begin);
afterEach(() => mock.timers.reset());

/** A socket that has connected, with what it told. */
function connected() {
  const told = { states: [], failures: 0 };
  const socket = new Socket("ws://here", {
    WebSocket: FakeWebSocket,
    onState: (state) => told.states.push(state),
    onFailure: () => (told.failures += 1),
  });
  socket.connect();
  FakeWebSocket.last.open();
  return { socket, told };
}

/** A channel that has joined, with what it told. */
async function joined(socket, refused = () => true) {
  const told = { joined: [], left: 0, events: [] };
  let joins = 0;
  const channel = socket.channel("room:a", () => ({ join: (joins += 1) }), {
    joined: (response) => told.joined.push(response),
    refused,
    left: () => (told.left += 1),
    event: (name, payload) => told.events.push([name, payload]),
  });
  channel.join();
  await FakeWebSocket.last.answer("phx_join", "ok", { seq: 3 });
  return { channel, told };
}

test("waiting grows to 30 s, is never under half a second, and differs from client to client", () => {
  const table = [[0, 1_000], [1, 2_000], [2, 4_000], [4, 16_000], [5, 30_000], [50, 30_000], [5_000, 30_000]];
  for (const [tries, ceiling] of table) {
    assert.equal(backoff(tries, () => 0), 500);
    assert.equal(backoff(tries, () => 1), ceiling);
  }
});

test("a join carries join_ref = ref, the topic and the payload of the moment", async () => {
  const { socket } = connected();
  const { told } = await joined(socket);
  assert.deepEqual(FakeWebSocket.last.sent, [["1", "1", "room:a", "phx_join", { join: 1 }]]);
  assert.deepEqual(told.joined, [{ seq: 3 }]);
});

test("a channel that was asked to join before the socket is open joins with it", () => {
  const socket = new Socket("ws://here", { WebSocket: FakeWebSocket });
  const channel = socket.channel("room:a", () => ({}), { joined() {}, refused() {}, left() {}, event() {} });
  channel.join();
  socket.connect();
  assert.equal(FakeWebSocket.last.sent.length, 0);
  FakeWebSocket.last.open();
  assert.equal(FakeWebSocket.last.frames("phx_join").length, 1);
});

test("a push gets the answer to its ref", async () => {
  const { socket } = connected();
  const { channel } = await joined(socket);
  const first = channel.push("new_msg", { body: "one" });
  const second = channel.push("new_msg", { body: "two" });
  const [one, two] = FakeWebSocket.last.frames("new_msg");
  assert.deepEqual(one.slice(0, 1), ["1"]);
  FakeWebSocket.last.receive("1", two[1], "room:a", "phx_reply", { status: "error", response: { reason: "busy" } });
  FakeWebSocket.last.receive("1", one[1], "room:a", "phx_reply", { status: "ok", response: { seq: 4 } });
  assert.deepEqual(await first, { status: "ok", response: { seq: 4 } });
  assert.deepEqual(await second, { status: "error", response: { reason: "busy" } });
});

test("a push without an answer ends after ten seconds", async () => {
  const { socket } = connected();
  const { channel } = await joined(socket);
  const answer = channel.push("new_msg", {});
  await pass(10_000);
  assert.equal((await answer).status, "timeout");
});

test("a push that the connection did not survive ends as closed, as does one that was never sent", async () => {
  const { socket } = connected();
  const { channel, told } = await joined(socket);
  const answer = channel.push("new_msg", {});
  FakeWebSocket.last.lose();
  assert.equal((await answer).status, "closed");
  assert.equal((await channel.push("new_msg", {})).status, "closed");
  assert.equal(told.left, 1);
});

test("after a loss the socket comes back and its channels join anew", async () => {
  const { socket, told: states } = connected();
  const { told } = await joined(socket);
  FakeWebSocket.last.lose(1012);
  await pass(1_000);
  assert.equal(FakeWebSocket.all.length, 2);
  FakeWebSocket.last.open();
  assert.deepEqual(FakeWebSocket.last.sent, [["2", "2", "room:a", "phx_join", { join: 2 }]]);
  await FakeWebSocket.last.answer("phx_join", "ok", {});
  assert.equal(told.joined.length, 2);
  assert.deepEqual(states.states, ["connecting", "open", "waiting", "connecting", "open"]);
  assert.equal(states.failures, 0);
});

test("an attempt that does not get through is told, and the next waits longer", async () => {
  const { socket, told } = connected();
  FakeWebSocket.last.lose();
  for (let tries = 0; tries < 8; tries += 1) {
    socket.hurry();
    FakeWebSocket.last.lose();
  }
  assert.equal(told.failures, 8);
  assert.equal(socket.tries, 9);
  const attempts = FakeWebSocket.all.length;
  await pass(30_000);
  assert.equal(FakeWebSocket.all.length, attempts + 1);
});

test("only a connection that holds makes waiting short again", async () => {
  const { socket } = connected();
  for (let times = 0; times < 3; times += 1) {
    FakeWebSocket.last.lose();
    socket.hurry();
    FakeWebSocket.last.open();
  }
  assert.equal(socket.tries, 3);
  await pass(10_000);
  assert.equal(socket.tries, 0);
});

test("a connection that does not come up in ten seconds is given up", async () => {
  const socket = new Socket("ws://here", { WebSocket: FakeWebSocket });
  socket.connect();
  await pass(10_000);
  assert.ok(FakeWebSocket.last.closed);
  assert.equal(socket.state, "waiting");
});

test("a heartbeat is sent every 30 s, and silence after it means that the line is dead", async () => {
  const { socket } = connected();
  await pass(30_000);
  const [beat] = FakeWebSocket.last.frames("heartbeat");
  assert.deepEqual(beat, [null, "1", "phoenix", "heartbeat", {}]);
  FakeWebSocket.last.receive(null, "1", "phoenix", "phx_reply", { status: "ok", response: {} });
  await pass(30_000);
  assert.equal(FakeWebSocket.last.frames("heartbeat").length, 2);
  await pass(10_000);
  assert.ok(FakeWebSocket.all[0].closed);
  assert.equal(socket.state, "waiting");
});

test("what an earlier connection still says is not heard", async () => {
  const { socket } = connected();
  const { told } = await joined(socket);
  const old = FakeWebSocket.last;
  old.lose();
  await pass(1_000);
  FakeWebSocket.last.open();
  old.receive("1", null, "room:a", "new_msg", {});
  old.lose();
  assert.deepEqual(told.events, []);
  assert.equal(socket.state, "open");
});

test("messages of an earlier join are dropped, broadcasts pass", async () => {
  const { socket } = connected();
  const { told } = await joined(socket);
  FakeWebSocket.last.receive("0", null, "room:a", "new_msg", { seq: 1 });
  FakeWebSocket.last.receive("1", null, "room:a", "new_msg", { seq: 2 });
  FakeWebSocket.last.receive(null, null, "room:a", "new_msg", { seq: 3 });
  FakeWebSocket.last.receive(null, null, "room:b", "new_msg", { seq: 4 });
  assert.deepEqual(told.events.map(([, { seq }]) => seq), [2, 3]);
});

test("a crashed channel joins again after a second", async () => {
  const { socket } = connected();
  const { told } = await joined(socket);
  FakeWebSocket.last.receive("1", "1", "room:a", "phx_error", {});
  assert.equal(told.left, 1);
  assert.equal(FakeWebSocket.last.frames("phx_join").length, 1);
  await pass(1_250);
  assert.equal(FakeWebSocket.last.frames("phx_join").length, 2);
  assert.equal(FakeWebSocket.last.frames("phx_join").at(-1)[0], "2");
});

test("a refused join is tried again after the time that the server asks for", async () => {
  const { socket } = connected();
  const { channel } = await joined(socket);
  channel.rejoin();
  await FakeWebSocket.last.answer("phx_join", "error", { reason: "rate_limited", retry_after_ms: 4_000 });
  await pass(3_999);
  assert.equal(FakeWebSocket.last.frames("phx_join").length, 2);
  await pass(1_001);
  assert.equal(FakeWebSocket.last.frames("phx_join").length, 3);
});

test("a join that is refused for good is not tried again", async () => {
  const { socket } = connected();
  const channel = socket.channel("room:x", () => ({}), { joined() {}, refused: () => false, left() {}, event() {} });
  channel.join();
  await FakeWebSocket.last.answer("phx_join", "error", { reason: "not_found" });
  await pass(60_000);
  assert.equal(FakeWebSocket.all[0].frames("phx_join").length, 1);
  assert.equal(channel.state, "closed");
});

test("a join without an answer is taken back and tried again", async () => {
  const { socket } = connected();
  const channel = socket.channel("room:a", () => ({}), { joined() {}, refused() {}, left() {}, event() {} });
  channel.join();
  await pass(10_000);
  assert.deepEqual(FakeWebSocket.last.frames("phx_leave")[0].slice(0, 1), ["1"]);
  await pass(1_250);
  assert.equal(FakeWebSocket.last.frames("phx_join").length, 2);
});

test("a channel that leaves says so, once, and stays away", async () => {
  const { socket } = connected();
  const { channel, told } = await joined(socket);
  channel.leave();
  FakeWebSocket.last.receive("1", "1", "room:a", "phx_close", {});
  FakeWebSocket.last.receive(null, null, "room:a", "new_msg", {});
  await pass(60_000);
  assert.equal(FakeWebSocket.all[0].frames("phx_leave").length, 1);
  assert.equal(FakeWebSocket.all[0].frames("phx_join").length, 1);
  assert.deepEqual(told.events, []);
});

test("a closed socket stays closed", async () => {
  const { socket } = connected();
  socket.close();
  socket.hurry();
  await pass(60_000);
  assert.equal(FakeWebSocket.all.length, 1);
  assert.ok(FakeWebSocket.last.closed);
});

test("frames that are none are ignored", async () => {
  const { socket } = connected();
  const { told } = await joined(socket);
  for (const data of ["", "{}", "[]", "[1,2,3,4]", "null", "not json", new ArrayBuffer(3)]) {
    FakeWebSocket.last.onmessage({ data });
  }
  await settle();
  assert.deepEqual(told.events, []);
  assert.equal(socket.state, "open");
});
