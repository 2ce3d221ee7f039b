import assert from "node:assert/strict";
import { test } from "node:test";
import { Presence } from "../../../src/chat/assets/presence.js";

const one = (ref) => ({ metas: [{ phx_ref: ref, online_at: 0 }] });
const joins = (name, ref) => ({ joins: { [name]: one(ref) }, leaves: {} });
const leaves = (name, ref) => ({ joins: {}, leaves: { [name]: one(ref) } });

function knowing(state) {
  const presence = new Presence();
  presence.expectState();
  presence.state(state);
  return presence;
}

test("a state is who is there", () => {
  assert.deepEqual(knowing({ b: one("1"), a: one("2") }).names(), ["a", "b"]);
});

test("a diff that comes before the state waits for it", () => {
  const presence = new Presence();
  presence.expectState();
  presence.diff(joins("b", "2"));
  assert.deepEqual(presence.names(), []);
  presence.state({ a: one("1") });
  assert.deepEqual(presence.names(), ["a", "b"]);
});

test("a name goes with its last connection", () => {
  const presence = knowing({ a: one("1") });
  presence.diff(joins("a", "2"));
  presence.diff(leaves("a", "1"));
  assert.deepEqual(presence.names(), ["a"]);
  presence.diff(leaves("a", "2"));
  assert.deepEqual(presence.names(), []);
});

test("an update does not make a name vanish", () => {
  const presence = knowing({ a: one("1") });
  presence.diff({ joins: { a: one("2") }, leaves: { a: one("1") } });
  assert.deepEqual(presence.names(), ["a"]);
});

test("leaving what was never there is nothing", () => {
  const presence = knowing({ a: one("1") });
  presence.diff(leaves("b", "1"));
  presence.diff(leaves("a", "9"));
  assert.deepEqual(presence.names(), ["a"]);
});

test("a new state replaces the old, which stays on view until then", () => {
  const presence = knowing({ a: one("1"), gone: one("2") });
  presence.expectState();
  presence.diff(leaves("a", "7"));
  assert.deepEqual(presence.names(), ["a", "gone"]);
  presence.state({ a: one("7") });
  assert.deepEqual(presence.names(), [], "the diff that overtook the state counts after it");
});

test("names that mean something to JavaScript are names", () => {
  const state = JSON.parse('{"__proto__": {"metas": [{"phx_ref": "1"}]}, "constructor": {"metas": [{"phx_ref": "2"}]}}');
  assert.deepEqual(knowing(state).names().sort(), ["__proto__", "constructor"]);
});
