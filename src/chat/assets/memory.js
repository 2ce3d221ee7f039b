// What the browser remembers for a user: drafts, how far each room was read, and, for this tab, unsent posts. All of
// it goes at sign-out. A browser that refuses storage (private windows, a full quota) forgets at the next reload.

const PREFIX = "perennial/";
const USER = `${PREFIX}user`;

/** For all tabs, and for this one. `null` where the browser refuses. */
const lasting = reach(() => localStorage);
const passing = reach(() => sessionStorage);

/** The name under which somebody signed in here; the cookie itself cannot be read by a page. */
export function rememberedUser() {
  return read(lasting, USER);
}

export function rememberUser(name) {
  write(lasting, USER, name);
}

/** Tells when another tab signs in or out. */
export function onUserChange(act) {
  addEventListener("storage", (event) => {
    if (event.key === USER || event.key === null) act(event.newValue);
  });
}

/** Forgets the user and all that is his. */
export function forgetUser(name) {
  for (const storage of [lasting, passing]) {
    for (const key of keys(storage)) {
      if (key === USER || key.startsWith(`${PREFIX}${name}/`)) write(storage, key, null);
    }
  }
}

/** What is remembered for one user. */
export class Memory {
  constructor(user) {
    this.user = user;
    /** Read marks and drafts of this page, for browsers that refuse storage. */
    this.marks = new Map();
    this.drafts = new Map();
  }

  draft(room) {
    return read(lasting, this.#key("draft", room)) ?? this.drafts.get(room) ?? "";
  }

  setDraft(room, text) {
    this.drafts.set(room, text);
    write(lasting, this.#key("draft", room), text === "" ? null : text);
  }

  /** The room that was on view last. */
  lastRoom() {
    return read(lasting, this.#key("last", ""));
  }

  setLastRoom(room) {
    write(lasting, this.#key("last", ""), room);
  }

  /** The seq up to which a room was read; `null` if it was never looked at. */
  readMark(room) {
    const stored = Number.parseInt(read(lasting, this.#key("read", room)) ?? "", 10);
    const known = this.marks.get(room);
    if (Number.isNaN(stored)) return known ?? null;
    return Math.max(stored, known ?? 0);
  }

  /** Moves the mark forward, never back, so that two tabs agree in the end. */
  setReadMark(room, seq) {
    const mark = this.readMark(room);
    if (mark !== null && mark >= seq) return false;
    this.marks.set(room, seq);
    write(lasting, this.#key("read", room), String(seq));
    return true;
  }

  /** Sets the mark to what the server has, if that is less: its data may be older than what was read here. */
  lowerReadMark(room, seq) {
    if ((this.readMark(room) ?? 0) <= seq) return;
    this.marks.set(room, seq);
    write(lasting, this.#key("read", room), String(seq));
  }

  /** Tells when another tab has read on. */
  onReadMark(act) {
    const prefix = this.#key("read", "");
    addEventListener("storage", (event) => {
      if (event.key?.startsWith(prefix)) act(event.key.slice(prefix.length));
    });
  }

  posts(room) {
    try {
      const posts = JSON.parse(read(passing, this.#key("posts", room)) ?? "[]");
      return Array.isArray(posts) ? posts : [];
    } catch {
      return [];
    }
  }

  setPosts(room, posts) {
    const text = posts.length === 0 ? null : JSON.stringify(posts);
    write(passing, this.#key("posts", room), text);
  }

  /** Rooms with unsent posts from before a reload. */
  roomsWithPosts() {
    const prefix = this.#key("posts", "");
    const found = keys(passing).filter((key) => key.startsWith(prefix));
    return found.map((key) => key.slice(prefix.length));
  }

  /** Names of rooms and users have no slash, so these keys cannot be confused. */
  #key(kind, room) {
    return `${PREFIX}${this.user}/${kind}/${room}`;
  }
}

function reach(storage) {
  try {
    return storage();
  } catch {
    return null;
  }
}

function keys(storage) {
  try {
    return Object.keys(storage ?? {});
  } catch {
    return [];
  }
}

function read(storage, key) {
  try {
    return storage?.getItem(key) ?? null;
  } catch {
    return null;
  }
}

function write(storage, key, value) {
  try {
    if (value === null) storage?.removeItem(key);
    else storage?.setItem(key, value);
  } catch {
    // There is nothing better to do: what was to be kept is still on the page.
  }
}
