// Drives a chat server with an official client: node drive.mjs 1.7|1.8 talk|crash|poll|fallback ADDR TOKEN TOKEN
//
// Each line on stdout asks whoever started this to do something to the server, and is answered by a line on stdin.
// Whatever is not as it should be ends the program with an error.

import assert from "node:assert/strict";
import {createInterface} from "node:readline";
import WebSocket from "ws";

const [version, scenario, addr, adasToken, bobsToken] = process.argv.slice(2);
// What a browser has and the client of 1.7 asks by; and what a browser sends with it: the cookie, and where its page
// is from.
class BrowsersRequest {
  open(method, url) {
    Object.assign(this, {method, url, headers: {}, aborter: new AbortController()});
  }

  setRequestHeader(name, value) {
    this.headers[name] = value;
  }

  async send(body) {
    const {method, url, headers, timeout} = this;
    const timer = timeout && setTimeout(() => this.ontimeout?.(), timeout);
    try {
      const answer = await fetch(url, {method, headers, body, signal: this.aborter.signal});
      this.responseText = await answer.text();
      Object.assign(this, {readyState: 4, status: answer.status});
      this.onload?.();
      this.onreadystatechange?.();
    } catch (error) {
      if (error.name !== "AbortError") this.onerror?.(error);
    } finally {
      clearTimeout(timer);
    }
  }

  abort() {
    this.aborter.abort();
  }
}

// The token of whoever asks by XMLHttpRequest: those of 1.7, which cannot send one along.
function withCookie(token) {
  return class extends BrowsersRequest {
    open(method, url) {
      super.open(method, url);
      Object.assign(this.headers, {cookie: `sid=${token}`, origin: `http://${addr}`});
    }
  };
}

// Where the client of 1.7 looks for what a browser has.
if (version === "1.7") globalThis.self = globalThis;

const {LongPoll, Presence, Socket} = await import(`phoenix-${version}`);

// Longer than anything here takes on a busy machine.
const PATIENCE_MS = 30_000;

const lines = createInterface({input: process.stdin})[Symbol.asyncIterator]();

// Has something done to the server.
async function order(what) {
  console.log(what);
  const {value} = await within(lines.next(), what);
  assert.equal(value, `done: ${what}`);
}

// A promise with a deadline, and what to say when that passes.
function within(promise, what) {
  let timer;
  const fail = (reject) => {
    const said = typeof what === "function" ? what() : what;
    reject(new Error(`not in time: ${said}`));
  };
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(fail, PATIENCE_MS, reject);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}

// The answer to a push, a join or a leave.
function answer(push, what) {
  const answered = new Promise((resolve) => {
    for (const status of ["ok", "error", "timeout"]) {
      push.receive(status, (response) => resolve({status, response}));
    }
  });
  return within(answered, what);
}

async function ok(push, what) {
  const {status, response} = await answer(push, what);
  assert.equal(status, "ok", `${what}: ${JSON.stringify(response)}`);
  return response;
}

async function refused(push, reason) {
  const {status, response} = await answer(push, reason);
  assert.deepEqual({status, reason: response.reason}, {status: "error", reason});
}

// Things that happen, in order, to be waited for.
class Events {
  constructor(what) {
    this.what = what;
    this.happened = [];
    this.waiting = [];
  }

  add(event) {
    this.happened.push(event);
    this.waiting.splice(0).forEach((look) => look());
  }

  // The first that is like this.
  until(isIt) {
    const found = new Promise((resolve) => {
      const look = () => {
        const event = this.happened.find(isIt);
        if (event === undefined) {
          this.waiting.push(look);
        } else {
          resolve(event);
        }
      };
      look();
    });
    return within(found, () => `${this.what}: ${isIt} in ${JSON.stringify(this.happened.slice(-9))}`);
  }

  async next() {
    const event = await this.until(() => true);
    this.happened.shift();
    return event;
  }
}

// A browser sends the cookie and where its page is from; the client from 1.8 on can send a token itself.
function connect(token) {
  class Browser extends WebSocket {
    constructor(url, protocols) {
      const cookie = {headers: {cookie: `sid=${token}`}, origin: `http://${addr}`};
      super(url, protocols, version === "1.7" ? cookie : {});
    }
  }
  const soon = () => 50;
  const options = {transport: Browser, reconnectAfterMs: soon, rejoinAfterMs: soon};
  if (version !== "1.7") {
    options.authToken = token;
  }
  const socket = new Socket(`ws://${addr}/socket`, options);
  socket.opened = new Events("open");
  socket.closed = new Events("close");
  socket.onOpen(() => socket.opened.add("open"));
  socket.onClose((event) => socket.closed.add(event.code));
  socket.connect();
  return socket;
}

// A client in a room, which joins after what it has seen, and sees each message once and in order.
class Room {
  constructor(socket, name) {
    this.seen = 0;
    this.messages = new Events(`messages of ${name}`);
    this.joins = new Events(`joins of ${name}`);
    this.errors = new Events(`errors of ${name}`);
    this.closes = new Events(`closes of ${name}`);
    this.channel = socket.channel(`room:${name}`, () => ({after: this.seen}));
    this.channel.on("new_msg", (message) => this.see(message));
    this.channel.onError((reason) => this.errors.add(reason));
    this.channel.onClose(() => this.closes.add("close"));
    this.presence = new Presence(this.channel);
    this.present = new Events(`presences of ${name}`);
    this.presence.onSync(() => this.present.add(this.members()));
  }

  see(message) {
    assert.equal(message.seq, this.seen + 1, "in order, without gaps");
    this.seen = message.seq;
    this.messages.add(message);
  }

  // How many connections each member has.
  members() {
    return JSON.stringify(
      Object.fromEntries(this.presence.list((user, {metas}) => [user, metas.length]).sort()),
    );
  }

  async join() {
    const push = this.channel.join();
    // Again after each join that the client makes by itself.
    push.receive("ok", (response) => {
      response.messages.forEach((message) => this.see(message));
      assert.equal(response.seq, this.seen);
      this.joins.add(response);
    });
    await ok(push, "join");
    return this.joins.next();
  }

  push(payload) {
    return this.channel.push("new_msg", payload);
  }

  say(body) {
    return ok(this.push({body}), `say ${body}`);
  }

  hears(body) {
    return this.messages.until((message) => message.body === body);
  }
}

async function talk() {
  const [adas, bobs] = [connect(adasToken), connect(bobsToken)];
  await adas.opened.next();
  await bobs.opened.next();
  const [ada, bob] = [new Room(adas, "lobby"), new Room(bobs, "lobby")];
  assert.deepEqual(await ada.join(), {seq: 0, messages: [], last_seq: 0, read_seq: 0, unread: 0});
  await bob.join();

  // A push has its reply, and everybody hears of it.
  const posted = await ok(ada.push({body: "안녕 <b>", client_id: "c-1"}), "the first post");
  assert.deepEqual(posted, {seq: 1, at: posted.at});
  const message = {seq: 1, user: "ada", body: "안녕 <b>", at: posted.at, client_id: "c-1"};
  assert.deepEqual(await ada.hears("안녕 <b>"), message);
  assert.deepEqual(await bob.hears("안녕 <b>"), message);
  assert.deepEqual(await ok(ada.push({body: "x", client_id: "c-1"}), "the same again"), posted);

  // Refusals.
  await refused(ada.push({body: ""}), "invalid");
  await refused(ada.push({body: "x".repeat(4_001)}), "too_long");
  await refused(ada.channel.push("shout", {}), "invalid");
  const [nowhere, unmatched] = [bobs.channel("room:nowhere"), bobs.channel("lobby")];
  await refused(nowhere.join(), "not_found");
  await refused(unmatched.join(), "unmatched topic");
  nowhere.leave();
  unmatched.leave();

  // Who is here.
  await ada.present.until((members) => members === '{"ada":1,"bob":1}');
  await bob.present.until((members) => members === '{"ada":1,"bob":1}');
  const tablet = connect(bobsToken);
  const tablets = new Room(tablet, "lobby");
  assert.equal((await tablets.join()).seq, 1);
  await ada.present.until((members) => members === '{"ada":1,"bob":2}');
  await tablets.present.until((members) => members === '{"ada":1,"bob":2}');
  ada.present.happened = [];
  tablet.disconnect();
  await ada.present.until((members) => members === '{"ada":1,"bob":1}');

  // A client that was away hears what was said meanwhile.
  adas.disconnect();
  await adas.closed.next();
  for (const body of ["2", "3", "4"]) {
    await bob.say(body);
  }
  adas.connect();
  const back = await ada.joins.next();
  assert.deepEqual(back.messages.map(({body}) => body), ["2", "3", "4"]);

  // The server is killed and comes back. What was said meanwhile waits for that.
  await order("restart");
  const later = ok(ada.push({body: "5", client_id: "c-5"}), "a post across a restart");
  const [adasBack, bobsBack] = [await ada.joins.next(), await bob.joins.next()];
  assert.deepEqual([adasBack.seq >= 4, bobsBack.seq >= 4], [true, true]);
  assert.equal((await later).seq, 5);
  await bob.hears("5");
  await ada.hears("5");
  await ada.present.until((members) => members === '{"ada":1,"bob":1}');

  // Leaving.
  await ok(bob.channel.leave(), "leave");
  await bob.closes.next();
  await ada.say("6");
  await ada.hears("6");
  assert.equal(bob.seen, 5);
  const again = new Room(bobs, "lobby");
  assert.equal((await again.join()).seq, 6);

  // An orderly stop is a restart of the service: the client will come back.
  adas.closed.happened = [];
  await order("stop");
  assert.equal(await adas.closed.next(), 1012);
  adas.disconnect();
  bobs.disconnect();
}

// The same client without a WebSocket.
function connectByPoll(token, options) {
  if (version === "1.7") {
    globalThis.XMLHttpRequest = withCookie(token);
  } else {
    options = {...options, authToken: token};
  }
  const soon = () => 50;
  const socket = new Socket(`ws://${addr}/socket`, {reconnectAfterMs: soon, rejoinAfterMs: soon, ...options});
  socket.opened = new Events("open");
  socket.closed = new Events("close");
  socket.onOpen(() => socket.opened.add("open"));
  socket.onClose((event) => socket.closed.add(event.code));
  socket.connect();
  return socket;
}

async function pollWith(options) {
  const adas = connectByPoll(adasToken, options);
  await adas.opened.next();
  const bobs = connect(bobsToken);
  await bobs.opened.next();
  const [ada, bob] = [new Room(adas, "lobby"), new Room(bobs, "lobby")];
  assert.deepEqual(await ada.join(), {seq: 0, messages: [], last_seq: 0, read_seq: 0, unread: 0});
  await bob.join();
  assert.equal(adas.transport, LongPoll);
  // Everybody hears everybody, in order, whoever came by what.
  await ada.say("안녕 <b>");
  await bob.hears("안녕 <b>");
  await bob.say("2");
  await ada.hears("2");
  await Promise.all(["3", "4", "5", "6"].map((body) => ada.say(body)));
  await bob.messages.until((message) => message.seq === 6);
  await ada.messages.until((message) => message.seq === 6);
  await refused(ada.push({body: ""}), "invalid");
  const nowhere = adas.channel("room:nowhere");
  await refused(nowhere.join(), "not_found");
  nowhere.leave();
  await ada.present.until((members) => members === '{"ada":1,"bob":1}');
  await bob.present.until((members) => members === '{"ada":1,"bob":1}');
  // The session is lost; the client begins another, and hears what was said meanwhile. That of 1.7 does not see that
  // its channels are lost with it, with a server of Phoenix neither.
  if (version !== "1.7") {
    await order("kill sessions");
    await bob.say("7");
    await ada.hears("7");
    await ada.say("8");
    await bob.hears("8");
  }
  await ok(ada.channel.leave(), "leave");
  await ada.closes.next();
  await bob.present.until((members) => members === '{"bob":1}');
  adas.disconnect();
  bobs.disconnect();
}

async function poll() {
  await pollWith({transport: LongPoll});
}

// A network that lets no WebSocket through: the client finds another way by itself.
async function fallback() {
  class Blocked {
    constructor() {
      setTimeout(() => this.onerror?.(new Error("blocked")), 1);
    }
    close() {}
  }
  Object.defineProperty(Blocked, "name", {value: "WebSocket"});
  globalThis.sessionStorage ??= {getItem: () => null, setItem() {}};
  await pollWith({transport: Blocked, longPollFallbackMs: 200});
}

async function crash() {
  const [adas, bobs] = [connect(adasToken), connect(bobsToken)];
  const [ada, bob] = [new Room(adas, "lobby"), new Room(bobs, "lobby")];
  await ada.join();
  await bob.join();
  await ada.say("1");
  await bob.hears("1");
  for (const [n, what] of ["kill channels", "kill connections", "kill rooms"].entries()) {
    await order(what);
    if (what === "kill channels") {
      await ada.errors.next();
    }
    if (what !== "kill rooms") {
      await ada.joins.next();
      await bob.joins.next();
    }
    const body = String(n + 2);
    assert.equal((await ada.say(body)).seq, n + 2);
    await ada.hears(body);
    await bob.hears(body);
  }
  await ada.present.until((members) => members === '{"ada":1,"bob":1}');
  adas.disconnect();
  bobs.disconnect();
}

await {talk, crash, poll, fallback}[scenario]();
process.exit(0);
