// Timers by name, so that whoever starts one can be sure there is no other.

/** Timers by name: setting one again replaces it. */
export class Timers {
  #running = new Map();

  set(name, delay, act) {
    this.clear(name);
    const id = setTimeout(() => {
      this.#running.delete(name);
      act();
    }, delay);
    this.#running.set(name, id);
  }

  clear(name) {
    clearTimeout(this.#running.get(name));
    this.#running.delete(name);
  }

  clearAll() {
    for (const name of [...this.#running.keys()]) this.clear(name);
  }
}
