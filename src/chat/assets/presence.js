// PURE. Who is in a room, from presence_state and presence_diff.
//
// A state replaces all that was known; a diff changes it. A diff can overtake the state of its join, so diffs are
// kept until that has come. An entry has one meta per connection; the entry is gone with its last meta.

/** Diffs kept while the state is under way. More are dropped: the state will have them. */
const WAITING_MAX = 1_000;

export class Presence {
  constructor() {
    /** Metas by `phx_ref`, by name. A Map, as a name may be `__proto__`. */
    this.metas = new Map();
    this.waiting = [];
  }

  /** A new join: diffs count again only after its state. What is known stays on view meanwhile. */
  expectState() {
    this.waiting = [];
  }

  state(state) {
    this.metas = new Map();
    this.#join(state);
    const waiting = this.waiting ?? [];
    this.waiting = null;
    for (const diff of waiting) this.diff(diff);
  }

  diff(diff) {
    if (this.waiting) {
      if (this.waiting.length < WAITING_MAX) this.waiting.push(diff);
      return;
    }
    // An update is both: a join of the new meta and a leave of the old.
    this.#join(diff?.joins);
    this.#leave(diff?.leaves);
  }

  /** The names, in the order of the reader's language. */
  names() {
    return [...this.metas.keys()].sort((a, b) => a.localeCompare(b));
  }

  #join(entries) {
    for (const [name, { metas }] of Object.entries(entries ?? {})) {
      const known = this.metas.get(name) ?? new Map();
      for (const meta of metas ?? []) known.set(meta.phx_ref, meta);
      if (known.size > 0) this.metas.set(name, known);
    }
  }

  #leave(entries) {
    for (const [name, { metas }] of Object.entries(entries ?? {})) {
      const known = this.metas.get(name);
      for (const meta of metas ?? []) known?.delete(meta.phx_ref);
      if (known?.size === 0) this.metas.delete(name);
    }
  }
}
