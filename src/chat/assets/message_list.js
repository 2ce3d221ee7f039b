// The messages of the room on view: days, groups of one author, what is new, what is not sent yet.

import { avatar, byId, element, say } from "./dom.js";
import { count, dayName, dayOf, figure, momentOf, refusal, secondsUntil, timeOf } from "./words.js";

/** Messages of one author within this time stand under one name. */
const GROUP_MS = 5 * 60_000;
/** Nearer to the end than this counts as being there. */
const END_PX = 60;
/** Nearer to the top than this, the next older page is fetched. */
const TOP_PX = 400;
/** Messages read out one by one; more at once are only counted. */
const READ_OUT_MAX = 3;

/**
 * `onRead(seq)` is told how far the reader has got, `onEdit(text)` gets the text of a failed post that is to be
 * changed.
 */
export class MessageList {
  constructor({ onRead, onEdit }) {
    this.onRead = onRead;
    this.onEdit = onEdit;
    this.room = null;
    /** Everything after this seq is new to the reader; `null` for no mark. */
    this.newAfter = null;
    this.unseen = 0;
    this.scroller = byId("messages");
    this.list = byId("message-list");
    this.unsent = byId("unsent");
    this.top = byId("history");
    this.jump = byId("jump");
    this.announcer = byId("announcer");
    this.atEnd = true;
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.jump.addEventListener("click", () => this.toEnd());
    document.addEventListener("visibilitychange", () => this.#reportRead());
    // The keyboard of a telephone, a longer draft, a turned screen: the end stays in view.
    new ResizeObserver(() => {
      if (this.atEnd) this.#scrollToEnd();
    }).observe(this.scroller);
    setInterval(() => this.#tick(), 1000);
  }

  /** Shows a room. `readMark` is the seq up to which it was read, or `null`. */
  show(room, readMark) {
    this.room = room;
    this.newAfter = readMark;
    this.reset();
  }

  /** What changed in the room on view, as `Room.onChange` reports it. */
  changed(what, detail) {
    switch (what) {
      case "reset":
        this.reset();
        break;
      case "appended":
        this.#append(detail);
        break;
      case "prepended":
      case "trimmed":
        this.#keepingPlace(what === "trimmed", () => this.#renderAll());
        this.#fillScreen();
        break;
      case "older":
        this.#renderTop();
        break;
      case "outbox":
        this.#renderUnsent();
        if (this.atEnd) this.#scrollToEnd();
        break;
    }
  }

  reset() {
    const { messages, last } = this.room;
    // Before the first join has been answered, nothing is known of what is new.
    if (last !== null && !messages.some((message) => this.#isNew(message))) this.newAfter = null;
    this.#renderAll();
    this.#renderUnsent();
    this.#countUnseen(0);
    const mark = this.list.querySelector(".new-mark");
    if (mark) {
      mark.scrollIntoView({ block: "center" });
      this.atEnd = this.#isAtEnd();
    } else {
      this.atEnd = true;
      this.#scrollToEnd();
    }
    this.#fillScreen();
    this.#reportRead();
  }

  /** Goes to the newest message. */
  toEnd() {
    this.atEnd = true;
    this.#scrollToEnd();
    this.#countUnseen(0);
    this.#reportRead();
    this.room?.trim();
  }

  /** Takes the mark of what is new away. */
  clearMark() {
    this.newAfter = null;
    this.list.querySelector(".new-mark")?.remove();
  }

  #append(messages) {
    const before = this.room.messages.length - messages.length;
    let previous = this.room.messages[before - 1];
    for (const message of messages) {
      // Whoever looks away finds the place again.
      if (document.hidden && this.newAfter === null && message.user !== this.room.me) {
        this.newAfter = message.seq - 1;
      }
      this.list.append(...this.#items(message, previous));
      previous = message;
    }
    const foreign = messages.filter((message) => message.user !== this.room.me);
    this.#readOut(foreign);
    this.#renderTop();
    this.#renderUnsent();
    if (this.atEnd) {
      this.#scrollToEnd();
      this.#reportRead();
      this.room.trim();
    } else {
      this.#countUnseen(this.unseen + foreign.length);
    }
  }

  #renderAll() {
    const items = [];
    let previous = null;
    for (const message of this.room.messages) {
      items.push(...this.#items(message, previous));
      previous = message;
    }
    this.list.replaceChildren(...items);
    this.#renderTop();
  }

  /** The list items for a message: a new day, the mark of what is new, and the message itself. */
  #items(message, previous) {
    const items = [];
    const newDay = !previous || dayOf(previous.at) !== dayOf(message.at);
    if (newDay) items.push(dayItem(message.at));
    const firstNew = this.#isNew(message) && !(previous && this.#isNew(previous));
    if (firstNew) {
      items.push(element("li", { class: "new-mark" }, element("span", {}, "New")));
    }
    const goesOn = !newDay && !firstNew && follows(message, previous);
    items.push(messageItem(message, goesOn, message.user === this.room.me));
    return items;
  }

  #isNew(message) {
    return this.newAfter !== null && message.seq > this.newAfter;
  }

  #renderTop() {
    const { older, messages, name, status } = this.room;
    if (older === "failed") {
      const again = element("button", { type: "button", class: "quiet", on: { click: () => this.room.loadOlder() } }, "Try again");
      this.top.replaceChildren(element("p", {}, "Older messages could not be fetched. "), again);
    } else if (older === "none" && this.room.last !== null) {
      const words = messages.length === 0 ? "Nothing has been said here yet." : "This is where it begins.";
      this.top.replaceChildren(
        element("p", { class: "beginning" }, element("bdi", {}, name)),
        element("p", {}, words),
      );
    } else if (status !== "missing") {
      this.top.replaceChildren(element("p", { class: "loading" }, "Fetching messages…"));
    } else {
      this.top.replaceChildren();
    }
  }

  #renderUnsent() {
    const posts = this.room.outbox;
    let previous = this.room.messages.at(-1) ?? null;
    const items = posts.map((post) => {
      const message = { user: this.room.me, body: post.body, at: post.at };
      const goesOn = previous !== null && follows(message, previous);
      previous = message;
      const item = messageItem(message, goesOn, true);
      item.classList.add("unsent", post.state);
      const state = this.#postState(post);
      if (state) item.querySelector(".said").append(state);
      return item;
    });
    // A button that has the focus keeps it over the change.
    const focused = this.unsent.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    this.unsent.replaceChildren(...items);
    if (focused) this.unsent.querySelector(`[data-act="${CSS.escape(focused)}"]`)?.focus();
  }

  #postState(post) {
    const act = (what, label, perform) =>
      element(
        "button",
        { type: "button", class: "quiet", "data-act": `${what} ${post.client_id}`, on: { click: perform } },
        label,
      );
    const discard = () => act("discard", "Discard", () => this.room.discard(post.client_id));
    const state = (words, ...acts) =>
      element("div", { class: "post-state" }, element("p", {}, ...words), element("p", { class: "acts" }, ...acts));
    switch (post.state) {
      case "waiting":
        return state([waitingWords(post)], discard());
      case "failed":
        return state(
          [element("strong", {}, "Not sent. "), refusal(post.reason)],
          act("retry", "Try again", () => this.room.retry(post.client_id)),
          act("edit", "Edit", () => this.onEdit(this.room.discard(post.client_id) ?? "")),
          discard(),
        );
      case "queued":
        return this.room.status === "joined" ? null : state(["Waiting for the connection…"], discard());
      default:
        // On its way, as a rule for a few milliseconds: the style sheet shows it without moving anything.
        return null;
    }
  }

  /** Counts down what waits. */
  #tick() {
    if (this.room?.outbox.some((post) => post.state === "waiting")) this.#renderUnsent();
  }

  #readOut(messages) {
    if (document.hidden || messages.length === 0) return;
    if (messages.length > READ_OUT_MAX) {
      say(this.announcer, count(messages.length, "new message"));
    } else {
      say(this.announcer, messages.map((message) => `${message.user}: ${message.body}`).join("\n"));
    }
  }

  #scrolled() {
    if (!this.room) return;
    this.atEnd = this.#isAtEnd();
    if (this.atEnd) {
      this.#countUnseen(0);
      this.#reportRead();
    }
    if (this.scroller.scrollTop < TOP_PX && this.room.older === "more") this.room.loadOlder();
  }

  /** A page that does not fill the screen cannot be scrolled, so more is fetched without being asked. */
  #fillScreen() {
    const { scrollHeight, clientHeight } = this.scroller;
    if (scrollHeight <= clientHeight && this.room.older === "more") this.room.loadOlder();
  }

  #reportRead() {
    if (this.room && this.atEnd && !document.hidden && this.room.last !== null) this.onRead(this.room.last);
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < END_PX;
  }

  #scrollToEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /** Changes what is above without moving what is on view. */
  #keepingPlace(fromEnd, change) {
    const { scrollHeight, scrollTop } = this.scroller;
    change();
    if (fromEnd && this.atEnd) this.#scrollToEnd();
    else this.scroller.scrollTop = scrollTop + (this.scroller.scrollHeight - scrollHeight);
  }

  #countUnseen(unseen) {
    this.unseen = unseen;
    this.jump.hidden = unseen === 0 && this.atEnd;
    say(this.jump, unseen === 0 ? "Newest messages" : `${figure(unseen)} new`);
    this.jump.classList.toggle("fresh", unseen > 0);
  }
}

function follows(message, previous) {
  if (!previous || previous.user !== message.user) return false;
  return dayOf(previous.at) === dayOf(message.at) && message.at - previous.at < GROUP_MS;
}

function dayItem(at) {
  return element("li", { class: "day" }, element("span", {}, dayName(at)));
}

function messageItem(message, goesOn, mine) {
  const time = element(
    "time",
    { datetime: new Date(message.at).toISOString(), title: momentOf(message.at) },
    timeOf(message.at),
  );
  const said = element("div", { class: "said", dir: "auto" }, ...bodyParts(message.body));
  const kind = `message${goesOn ? " goes-on" : ""}${mine ? " mine" : ""}`;
  if (goesOn) {
    const author = element("span", { class: "unseen" }, `${message.user}: `);
    return element("li", { class: kind }, time, author, said);
  }
  const author = element("bdi", { class: "author" }, message.user);
  return element("li", { class: kind }, avatar(message.user), element("p", { class: "by" }, author, time), said);
}

function waitingWords(post) {
  return `${refusal(post.reason)} Sending again in ${secondsUntil(post.retryAt)} s.`;
}

const LINK = /https?:\/\/[^\s<>"]+/gi;

/** The body as texts and links. Only addresses that are written out in full become links. */
function bodyParts(body) {
  const text = element("p", { class: "body", dir: "auto" });
  let at = 0;
  for (const match of body.matchAll(LINK)) {
    const address = withoutPunctuation(match[0]);
    const link = linkTo(address);
    if (!link) continue;
    text.append(body.slice(at, match.index), link);
    at = match.index + address.length;
  }
  text.append(body.slice(at));
  return [text];
}

function linkTo(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  return element("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, address);
}

/** The end of a sentence or a bracket round the address is not part of it. */
function withoutPunctuation(address) {
  const trimmed = address.replace(/[.,;:!?'、。，！？」）]+$/u, "");
  const open = trimmed.split("(").length;
  const close = trimmed.split(")").length;
  return close > open && trimmed.endsWith(")") ? trimmed.slice(0, -1) : trimmed;
}
