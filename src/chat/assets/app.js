// The page: who is signed in, which room is on view, and what passes between the parts.

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { avatar, byId, say } from "./dom.js";
import { Gate } from "./gate.js";
import { MemberList } from "./member_list.js";
import { forgetUser, Memory, onUserChange, rememberedUser, rememberUser } from "./memory.js";
import { MessageList } from "./message_list.js";
import { Room } from "./room.js";
import { addressOf, RoomList } from "./room_list.js";
import { Socket } from "./socket.js";
import { badge, figure, secondsUntil } from "./words.js";

/** How often the list of rooms is fetched while somebody looks. */
const ROOMS_MS = 20_000;
/** Rooms that stay joined after they were on view; what was not seen for longest is left first. */
const JOINED_MAX = 20;
/** Below this width there is one column, and the list of rooms is a screen of its own. */
const narrow = matchMedia("(max-width: 43.99rem)");
/** Where the list of members has a column of its own at all times. */
const wide = matchMedia("(min-width: 68rem)");

class Page {
  constructor() {
    this.user = null;
    this.chat = byId("chat");
    this.gate = new Gate({ onIn: (name) => this.#enter(name) });
    this.roomList = new RoomList({ onCreate: (name) => this.#createRoom(name) });
    this.memberList = new MemberList();
    this.messageList = new MessageList({
      onRead: (seq) => this.#read(seq),
      onEdit: (text) => this.composer.takeBack(text),
    });
    this.composer = new Composer({
      onSend: (text) => this.#send(text),
      onDraft: (room, text) => this.memory.setDraft(room, text),
      onEscape: () => this.#escape(),
    });
    this.#listen();
  }

  /** Tells from the name that was remembered and from what the server says whether somebody is signed in. */
  async start() {
    const name = rememberedUser();
    if (name === null) {
      this.gate.open();
      return;
    }
    this.#enter(name);
  }

  #enter(name) {
    rememberUser(name);
    this.user = name;
    this.memory = new Memory(name);
    this.memory.onReadMark(() => this.#renderRooms());
    /** What the server has: `{name, seq, read_seq}` by name. */
    this.rooms = new Map();
    /** Joined rooms by name, the one seen last at the end. */
    this.joined = new Map();
    this.current = null;
    this.loaded = false;
    /** Counts what was asked of the list of rooms, so that an old answer does not undo what came after it. */
    this.roomsAsked = 0;
    this.roomsFailed = false;
    this.retryAt = null;
    this.everOpen = false;
    say(byId("me"), name);
    byId("me-avatar").replaceChildren(avatar(name));
    this.chat.hidden = false;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new Socket(`${scheme}://${location.host}/socket/websocket?vsn=2.0.0`, {
      onState: (state, retryAt) => this.#connection(state, retryAt),
      onFailure: () => this.#refreshRooms(),
    });
    this.socket.connect();
    for (const room of this.memory.roomsWithPosts()) this.#join(room);
    this.#route();
    this.#refreshRooms();
  }

  /** Back to the gate. What was written stays unless the user goes by his own wish. */
  #exit(words, name) {
    if (this.user === null) return;
    this.user = null;
    for (const room of this.joined.values()) room.close();
    this.socket.close();
    this.chat.hidden = true;
    this.gate.open(words, name);
  }

  #listen() {
    addEventListener("hashchange", () => this.#route());
    addEventListener("online", () => this.socket?.hurry());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden || this.user === null) return;
      this.socket.hurry();
      this.socket.probe();
      this.#refreshRooms();
    });
    onUserChange((name) => {
      if (name !== this.user) location.reload();
    });
    setInterval(() => {
      if (!document.hidden) this.#refreshRooms();
    }, ROOMS_MS);
    setInterval(() => this.#countDown(), 1000);
    addEventListener("keydown", (event) => {
      if (this.user === null || !event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      const name = step && this.roomList.neighbour(step);
      if (!name) return;
      event.preventDefault();
      location.hash = addressOf(name);
    });
    // The address names the room, so the link may not change it.
    byId("skip").addEventListener("click", (event) => {
      event.preventDefault();
      this.composer.focus();
    });
    byId("banner-now").addEventListener("click", () => this.socket.hurry());
    byId("sign-out").addEventListener("click", () => this.#signOut());
    byId("members-open").addEventListener("click", () => this.#toggleMembers());
    byId("members-close").addEventListener("click", () => {
      this.#toggleMembers();
      byId("members-open").focus();
    });
    byId("nowhere-act").addEventListener("click", () => this.#actOnNowhere());
  }

  // Rooms.

  /** Shows what the address names. */
  #route() {
    if (this.user === null) return;
    const name = roomInAddress();
    if (name === null) {
      this.#leaveView();
      if (!narrow.matches) this.#openAny();
      return;
    }
    if (this.current?.name !== name) this.#view(this.#join(name));
    this.#screen("room");
    if (!narrow.matches) this.composer.focus();
    else byId("room-name").focus({ preventScroll: true });
  }

  /** A wide page always shows a room, if there is one: the one of last time, else the first. */
  #openAny() {
    const last = this.memory.lastRoom();
    const name = this.rooms.has(last) ? last : this.#names()[0];
    if (name !== undefined) location.replace(addressOf(name));
  }

  #join(name) {
    const known = this.joined.get(name);
    this.joined.delete(name);
    const room = known ?? this.#newRoom(name);
    this.joined.set(name, room);
    for (const [other, old] of this.joined) {
      if (this.joined.size <= JOINED_MAX) break;
      if (old === this.current || old.outbox.length > 0 || other === name) continue;
      this.joined.delete(other);
      old.close();
    }
    return room;
  }

  #newRoom(name) {
    const room = new Room(name, this.user, {
      socket: this.socket,
      history: api.history,
      kept: this.memory.posts(name),
      keep: (posts) => this.memory.setPosts(name, posts),
      newestKnown: () => this.rooms.get(name)?.seq ?? 0,
    });
    room.onChange = (what, detail) => this.#roomChanged(room, what, detail);
    room.open();
    return room;
  }

  #view(room) {
    this.current = room;
    this.memory.setLastRoom(room.name);
    say(byId("room-name"), room.name);
    byId("messages").setAttribute("aria-label", `Messages in ${room.name}`);
    this.messageList.show(room, this.memory.readMark(room.name));
    this.composer.show(room.name, this.memory.draft(room.name));
    this.memberList.show(room.presence.names(), this.user);
    this.#renderStage();
    this.#renderRooms();
  }

  #leaveView() {
    this.current = null;
    this.messageList.room = null;
    this.#screen("rooms");
    this.#renderStage();
    this.#renderRooms();
    if (narrow.matches && this.loaded) this.roomList.focus();
  }

  #roomChanged(room, what, detail) {
    const known = this.rooms.get(room.name);
    if (known && room.last !== null && room.last > known.seq) {
      known.seq = room.last;
      this.#renderRoomsSoon();
    }
    if (what === "read") {
      this.#readElsewhere(room.name, detail);
      return;
    }
    if (room !== this.current) return;
    if (what === "presence") this.memberList.show(room.presence.names(), this.user);
    else if (what === "status") this.#renderStage();
    else this.messageList.changed(what, detail);
  }

  async #refreshRooms() {
    if (this.user === null) return;
    const user = this.user;
    const asked = ++this.roomsAsked;
    let rooms;
    try {
      rooms = await api.rooms();
      this.roomsFailed = false;
    } catch (error) {
      this.roomsFailed = true;
      if (error.status === 401 && this.user === user) {
        this.#exit("Your session has ended. What you wrote is kept; sign in to go on.", user);
      }
      return;
    }
    if (this.user !== user || this.roomsAsked !== asked) return;
    this.rooms = new Map(rooms.map((room) => [room.name, this.#newer(room)]));
    for (const { name, seq, read_seq: readSeq = 0 } of this.rooms.values()) {
      if (readSeq > 0) this.memory.setReadMark(name, readSeq);
      // What was there before somebody first saw the room is not new to him.
      if (this.memory.readMark(name) === null) this.memory.setReadMark(name, seq);
      this.memory.lowerReadMark(name, seq);
    }
    const first = !this.loaded;
    this.loaded = true;
    this.#renderRooms();
    this.#renderStage();
    if (this.current?.status === "missing" && this.rooms.has(this.current.name)) this.current.open();
    if (first && this.current === null && !narrow.matches) this.#openAny();
  }

  /** The list may have been made before a message that has come since. */
  #newer({ name, seq, read_seq }) {
    const room = this.joined.get(name);
    return { name, read_seq, seq: room?.status === "joined" ? Math.max(seq, room.last) : seq };
  }

  async #createRoom(name) {
    let room;
    try {
      room = await api.createRoom(name);
    } catch (error) {
      if (error.status === 409) location.hash = addressOf(name);
      return error.status === 409 ? null : error.message;
    }
    this.roomsAsked += 1;
    this.rooms.set(room.name, room);
    this.memory.setReadMark(room.name, room.seq);
    this.#renderRooms();
    const missing = this.joined.get(room.name);
    if (missing) missing.open();
    location.hash = addressOf(room.name);
    return null;
  }

  #names() {
    return [...this.rooms.keys()].sort((a, b) => a.localeCompare(b));
  }

  #unread(name) {
    const mark = this.memory.readMark(name) ?? Infinity;
    return Math.max(0, (this.rooms.get(name)?.seq ?? 0) - mark);
  }

  #renderRooms() {
    if (this.user === null) return;
    clearTimeout(this.roomsTimer);
    this.roomsTimer = null;
    const current = this.current?.name ?? null;
    const rows = this.#names().map((name) => ({
      name,
      unread: this.#unread(name),
      draft: name !== current && this.memory.draft(name) !== "",
    }));
    if (this.loaded) this.roomList.show(rows, current);
    const elsewhere = rows.reduce((sum, row) => sum + (row.name === current ? 0 : row.unread), 0);
    const back = byId("back-badge");
    back.hidden = elsewhere === 0;
    say(back, badge(elsewhere));
    const all = rows.reduce((sum, row) => sum + row.unread, 0);
    document.title = `${all > 0 ? `(${figure(all)}) ` : ""}${current ?? "Rooms"} · perennial`;
  }

  /** The list is rendered at most four times a second, however fast messages come. */
  #renderRoomsSoon() {
    this.roomsTimer ??= setTimeout(() => this.#renderRooms(), 250);
  }

  // The room on view.

  #send(text) {
    if (!this.current.post(text)) return false;
    this.messageList.clearMark();
    this.messageList.toEnd();
    return true;
  }

  #read(seq) {
    this.current.read(seq);
    if (this.memory.setReadMark(this.current.name, seq)) this.#renderRoomsSoon();
  }

  /** How far the user has got on some device, as the server has it. Nothing read anywhere says nothing. */
  #readElsewhere(name, seq) {
    if (seq > 0 && this.memory.setReadMark(name, seq)) this.#renderRoomsSoon();
  }

  #escape() {
    this.messageList.clearMark();
    this.messageList.toEnd();
  }

  /** Messages and the box, or words in their place. */
  #renderStage() {
    const missing = this.current?.status === "missing";
    const nowhere = this.current === null || missing;
    byId("nowhere").hidden = !nowhere;
    byId("stage").hidden = nowhere;
    byId("members-open").hidden = nowhere;
    const act = byId("nowhere-act");
    if (missing) {
      say(byId("nowhere-words"), `There is no room named ${this.current.name}.`);
      say(act, "Create it");
    } else if (this.current === null) {
      say(byId("room-name"), "");
      const none = this.loaded && this.rooms.size === 0;
      say(byId("nowhere-words"), none ? "It is quiet here. Create the first room." : "Choose a room.");
      say(act, "Create a room");
      act.hidden = !none;
      return;
    }
    act.hidden = false;
  }

  async #actOnNowhere() {
    if (this.current === null) {
      byId("new-room-open").click();
      return;
    }
    const refused = await this.#createRoom(this.current.name);
    if (refused) this.#toast(refused);
  }

  #toggleMembers() {
    if (wide.matches) return;
    const open = this.chat.dataset.screen !== "members";
    this.#screen(open ? "members" : "room");
    if (open) byId("members-close").focus();
  }

  #screen(name) {
    this.chat.dataset.screen = name;
    byId("members-open").setAttribute("aria-expanded", String(name === "members"));
  }

  // The connection.

  #connection(state, retryAt) {
    const returned = state === "open" && this.everOpen;
    this.everOpen ||= state === "open";
    this.retryAt = retryAt;
    this.chat.dataset.connection = state;
    const words = { connecting: "Connecting…", open: "Connected", waiting: "Not connected", closed: "Signed out" };
    say(byId("connection"), words[state]);
    // The very first connecting is told at the foot only; everything after a loss is told where one writes.
    const trouble = state === "waiting" || (state === "connecting" && !byId("banner").hidden);
    byId("banner").hidden = !trouble;
    byId("banner-now").hidden = state !== "waiting";
    byId("banner-more").hidden = state !== "waiting";
    if (trouble) say(byId("banner-words"), state === "waiting" ? "Not connected." : "Connecting…");
    this.#countDown();
    if (returned || (state === "open" && this.roomsFailed)) this.#refreshRooms();
  }

  #countDown() {
    const left = this.retryAt === null ? "" : `Trying again in ${secondsUntil(this.retryAt)} s.`;
    say(byId("banner-countdown"), left);
  }

  async #signOut() {
    const unsent = [...this.joined.values()].some((room) => room.outbox.length > 0);
    if (unsent && !confirm("Some messages are not sent yet. Sign out and lose them?")) return;
    try {
      await api.signOut();
    } catch (error) {
      if (error.status !== 401) {
        this.#toast(`You are still signed in. ${error.message}`);
        return;
      }
    }
    const name = this.user;
    this.#exit("");
    forgetUser(name);
    history.replaceState(null, "", location.pathname);
  }

  #toast(words) {
    const toast = byId("toast");
    say(toast, words);
    toast.hidden = false;
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => (toast.hidden = true), 8000);
  }
}

function roomInAddress() {
  const match = /^#\/(.+)$/.exec(location.hash);
  if (!match) return null;
  try {
    return decodeURIComponent(match[1]).normalize("NFC");
  } catch {
    return null;
  }
}

new Page().start();
