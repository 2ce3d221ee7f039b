// Signing up and in.

import * as api from "./api.js";
import { byId, guardComposition, say } from "./dom.js";

const MODES = {
  in: {
    title: "Sign in",
    lead: "Welcome back.",
    submit: "Sign in",
    question: "New here?",
    other: "Create an account",
    password: "current-password",
  },
  up: {
    title: "Create an account",
    lead: "A name and a password are all it takes.",
    submit: "Create account",
    question: "Already have an account?",
    other: "Sign in",
    password: "new-password",
  },
};

/** `onIn(name)` is told who has signed in. */
export class Gate {
  constructor({ onIn }) {
    this.onIn = onIn;
    this.gate = byId("gate");
    this.form = byId("gate-form");
    this.name = byId("username");
    this.password = byId("password");
    this.error = byId("gate-error");
    this.reveal = byId("reveal");
    this.submit = byId("gate-submit");
    this.mode = "in";

    guardComposition(this.name);
    guardComposition(this.password);
    byId("gate-other").addEventListener("click", () => {
      this.#setMode(this.mode === "in" ? "up" : "in");
      this.name.focus();
    });
    this.reveal.addEventListener("click", () => this.#setRevealed(this.password.type === "password"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter();
    });
  }

  /** Shows the gate. `words` say why, if there is something to say; `name` is of whoever is expected back. */
  open(words = "", name = "") {
    this.gate.hidden = false;
    this.name.value = name;
    this.password.value = "";
    this.#setRevealed(false);
    this.#setMode("in");
    this.#refuse(words);
    (name === "" ? this.name : this.password).focus();
  }

  close() {
    this.gate.hidden = true;
    this.password.value = "";
  }

  #setMode(mode) {
    this.mode = mode;
    const words = MODES[mode];
    say(byId("gate-title"), words.title);
    say(byId("gate-lead"), words.lead);
    say(this.submit, words.submit);
    say(byId("gate-question"), words.question);
    say(byId("gate-other"), words.other);
    byId("password-hint").hidden = mode === "in";
    byId("name-hint").hidden = mode === "in";
    this.password.setAttribute("autocomplete", words.password);
    this.#refuse("");
    document.title = `${words.title} · perennial`;
  }

  #setRevealed(revealed) {
    this.password.type = revealed ? "text" : "password";
    const act = revealed ? "Hide" : "Show";
    say(this.reveal, act);
    this.reveal.setAttribute("aria-label", `${act} the password`);
  }

  async #enter() {
    const name = this.name.value.trim();
    const password = this.password.value;
    const lacking = this.#lacking(name, password);
    if (lacking) {
      this.#refuse(lacking);
      return;
    }
    this.submit.disabled = true;
    this.#refuse("");
    try {
      if (this.mode === "up") {
        await api.signUp(name, password);
        // From here on the name is taken, by this very user: what may still go wrong is signing in.
        this.#setMode("in");
      }
      const { user } = await api.signIn(name, password);
      this.close();
      this.onIn(user.name);
    } catch (error) {
      this.#refuse(words(error));
      (error.status === 409 ? this.name : this.password).focus();
    } finally {
      this.submit.disabled = false;
    }
  }

  #lacking(name, password) {
    if (name === "") return "Write your name.";
    if (password === "") return "Write your password.";
    const letters = [...password.normalize("NFC")].length;
    if (this.mode === "up" && letters < 8) return "A password has at least 8 characters.";
    return null;
  }

  #refuse(words) {
    this.error.hidden = words === "";
    say(this.error, words);
  }
}

function words(error) {
  if (!(error instanceof api.ApiError)) throw error;
  if (error.status === 401) return "This name and this password do not go together.";
  if (error.status === 409) return "This name is taken. If it is yours, sign in.";
  return error.message;
}
