// The rooms: which there are, which is open, where something is new; and making one.

import { byId, element, guardComposition, say } from "./dom.js";
import { badge, count } from "./words.js";

/** Rooms shown at once; with more, the filter finds the rest. */
const SHOWN_MAX = 300;
/** From so many rooms on there is a filter. */
const FILTER_FROM = 8;

/** The address of a room within the page. */
export function addressOf(name) {
  return `#/${encodeURIComponent(name)}`;
}

/** `onCreate(name)` makes a room and resolves to a sentence if it was refused, else to nothing. */
export class RoomList {
  constructor({ onCreate }) {
    this.onCreate = onCreate;
    this.list = byId("rooms");
    this.empty = byId("no-rooms");
    this.filter = byId("room-filter");
    this.form = byId("new-room");
    this.name = byId("new-room-name");
    this.error = byId("new-room-error");
    this.opener = byId("new-room-open");
    this.rows = [];
    this.current = null;

    guardComposition(this.filter);
    guardComposition(this.name);
    this.filter.addEventListener("input", () => this.#render());
    this.filter.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.defaultPrevented) this.list.querySelector("a")?.click();
    });
    this.opener.addEventListener("click", () => this.#toggleForm(this.form.hidden));
    byId("new-room-cancel").addEventListener("click", () => this.#toggleForm(false));
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) this.#toggleForm(false);
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#create();
    });
  }

  /** `rows` are `{name, unread, draft}` by name; `current` is the name of the open room or `null`. */
  show(rows, current) {
    this.rows = rows;
    this.current = current;
    this.#render();
  }

  /** The name of the room above or below the open one. */
  neighbour(step) {
    const names = this.rows.map((row) => row.name);
    const at = names.indexOf(this.current);
    return at < 0 ? (names[0] ?? null) : (names[at + step] ?? null);
  }

  /** Puts the focus on the open room. */
  focus() {
    (this.list.querySelector("[aria-current]") ?? this.list.querySelector("a") ?? this.opener).focus();
  }

  #render() {
    this.filter.parentElement.hidden = this.rows.length < FILTER_FROM;
    const wanted = this.filter.value.trim().normalize("NFC").toLocaleLowerCase();
    const rows = this.rows.filter((row) => row.name.toLocaleLowerCase().includes(wanted));
    const focused = this.list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    this.list.replaceChildren(...rows.slice(0, SHOWN_MAX).map((row) => this.#item(row)));
    if (focused) this.list.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
    this.empty.hidden = rows.length > 0 && rows.length <= SHOWN_MAX;
    if (rows.length > SHOWN_MAX) say(this.empty, `${count(rows.length - SHOWN_MAX, "more room")}. Type to find one.`);
    else if (this.rows.length > 0) say(this.empty, "No room has this in its name.");
    else say(this.empty, "There are no rooms yet. Create the first one.");
  }

  #item({ name, unread, draft }) {
    const parts = [
      element("span", { class: "hash", "aria-hidden": "true" }, "#"),
      element("bdi", { class: "room-name" }, name),
    ];
    if (draft) parts.push(element("span", { class: "has-draft", title: "You have a draft here" }, "draft"));
    if (unread > 0) {
      parts.push(element("span", { class: "badge", "aria-hidden": "true" }, badge(unread)));
      parts.push(element("span", { class: "unseen" }, `, ${count(unread, "unread message")}`));
    }
    const link = element(
      "a",
      { href: addressOf(name), class: unread > 0 ? "has-unread" : null, "aria-current": name === this.current ? "page" : null },
      ...parts,
    );
    return element("li", {}, link);
  }

  #toggleForm(open) {
    this.form.hidden = !open;
    this.opener.setAttribute("aria-expanded", String(open));
    this.#refuse("");
    if (open) {
      this.name.focus();
    } else {
      this.name.value = "";
      this.opener.focus();
    }
  }

  async #create() {
    const name = this.name.value.trim().normalize("NFC").replace(/\s+/gu, "-");
    if (name === "") return;
    const button = this.form.querySelector("[type=submit]");
    button.disabled = true;
    const refused = await this.onCreate(name);
    button.disabled = false;
    if (refused) {
      this.#refuse(refused);
      this.name.focus();
    } else {
      this.form.hidden = true;
      this.opener.setAttribute("aria-expanded", "false");
      this.name.value = "";
    }
  }

  #refuse(words) {
    this.error.hidden = words === "";
    say(this.error, words);
    this.name.setAttribute("aria-invalid", String(words !== ""));
  }
}
