// The box in which a message is written.
//
// An input method (Korean, Japanese, Chinese) composes a character inside the box before it is the writer's, and
// ends a composition with Enter. So nothing here changes the text while one is going on, an Enter that belongs to
// one does not send, and a click on "Send" waits until it has ended.

import { byId, isComposing, say } from "./dom.js";
import { BODY_MAX, count } from "./words.js";

/** From here on the characters are counted down. */
const COUNT_FROM = BODY_MAX - 400;

/** `onSend(text)` returns whether the text was taken, `onDraft(room, text)` keeps what is written so far. */
export class Composer {
  constructor({ onSend, onDraft, onEscape }) {
    this.onSend = onSend;
    this.onDraft = onDraft;
    this.form = byId("composer");
    this.box = byId("draft");
    this.grow = byId("grow");
    this.button = byId("send");
    this.counter = byId("counter");
    this.room = null;
    this.composing = false;
    this.sendAfterComposition = false;

    this.box.addEventListener("compositionstart", () => (this.composing = true));
    this.box.addEventListener("compositionend", () => this.#composed());
    this.box.addEventListener("input", () => this.#changed());
    this.box.addEventListener("keydown", (event) => {
      if (isComposing(event)) return;
      if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey) {
        event.preventDefault();
        this.#send();
      } else if (event.key === "Escape") {
        onEscape();
      }
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
      this.box.focus();
    });
  }

  /** Shows the draft of a room. */
  show(room, draft) {
    // A half composed character belongs to the draft of the room that is left.
    if (this.composing) this.box.blur();
    this.room = room;
    this.box.setAttribute("aria-label", `Message to ${room}`);
    this.box.placeholder = `Message to ${room}`;
    this.#setText(draft);
  }

  focus() {
    this.box.focus({ preventScroll: true });
  }

  /** Puts a text back to be changed, before what is in the box already. */
  takeBack(text) {
    const draft = this.box.value;
    this.#setText(draft === "" ? text : `${text}\n${draft}`);
    this.onDraft(this.room, this.box.value);
    this.focus();
  }

  #composed() {
    this.composing = false;
    if (!this.sendAfterComposition) return;
    this.sendAfterComposition = false;
    // The browser puts the composed text in place first; then the box holds all of it.
    queueMicrotask(() => this.#send());
  }

  #send() {
    if (this.composing) {
      this.sendAfterComposition = true;
      this.box.blur();
      return;
    }
    const text = withoutBlankEnds(this.box.value);
    if (text === "" || length(text) > BODY_MAX) return;
    if (this.onSend(text)) {
      this.#setText("");
      this.onDraft(this.room, "");
    } else {
      this.#warn("Too many messages are waiting to be sent.");
    }
  }

  #setText(text) {
    this.box.value = text;
    this.#measure();
  }

  #changed() {
    this.onDraft(this.room, this.box.value);
    this.#measure();
  }

  #measure() {
    // The style sheet lays the same text behind the box, which grows with it. Measuring the box itself would
    // shrink it for a moment, and the messages above would lose their place.
    this.grow.dataset.text = this.box.value;
    const left = BODY_MAX - length(withoutBlankEnds(this.box.value));
    this.button.disabled = left < 0;
    if (left < 0) this.#warn(`${count(-left, "character")} too many`);
    else if (left <= BODY_MAX - COUNT_FROM) this.#warn(`${count(left, "character")} left`, "soft");
    else this.counter.hidden = true;
  }

  #warn(text, kind = "hard") {
    this.counter.hidden = false;
    this.counter.className = `counter ${kind}`;
    say(this.counter, text);
  }
}

/** Without blank lines in front and white space at the end. The first line keeps its indentation. */
function withoutBlankEnds(text) {
  return text.trimEnd().replace(/^(?:[^\S\n]*\n)+/u, "");
}

/** In code points, as the server counts. Short texts are not walked through. */
function length(text) {
  return text.length < COUNT_FROM ? text.length : [...text].length;
}
