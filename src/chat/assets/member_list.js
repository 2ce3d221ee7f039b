// Who is in the room on view.

import { avatar, byId, element, say } from "./dom.js";
import { count, figure } from "./words.js";

/** Members shown at once; the rest is counted. */
const SHOWN_MAX = 200;

export class MemberList {
  constructor() {
    this.list = byId("members");
    this.more = byId("more-members");
    this.counts = [byId("member-count"), byId("members-count")];
    this.toggle = byId("members-open");
    this.planned = false;
  }

  /** Shows the names, once for all changes of one frame: a thousand people may come at the same moment. */
  show(names, me) {
    this.names = names;
    this.me = me;
    if (this.planned) return;
    this.planned = true;
    requestAnimationFrame(() => {
      this.planned = false;
      this.#render();
    });
  }

  #render() {
    const shown = this.names.slice(0, SHOWN_MAX);
    this.list.replaceChildren(...shown.map((name) => this.#item(name)));
    const rest = this.names.length - shown.length;
    this.more.hidden = rest === 0;
    say(this.more, `and ${count(rest, "other")}`);
    for (const place of this.counts) say(place, figure(this.names.length));
    this.toggle.setAttribute("aria-label", `Members, ${figure(this.names.length)} here`);
  }

  #item(name) {
    const you = name === this.me ? element("span", { class: "you" }, "you") : null;
    return element("li", {}, avatar(name), element("bdi", { class: "member-name" }, name), you);
  }
}
