// Making elements. Text goes in as text nodes only; nothing here parses markup.

/** The element with this id. The page is one fixed file, so a missing one is a bug. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element #${id}`);
  return found;
}

/**
 * A new element. `attributes` are set as attributes, but `on` (listeners by event) and `class`; `false`, `null`
 * and `undefined` leave one out. Children are elements or texts.
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Sets a text only if it changed, so that a live region is not read out again. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Tells whether a key event belongs to an input method that is composing a character. Safari ends the composition
 * before it reports the Enter that ended it, and marks that key only by the code 229.
 */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

/** Keeps the Enter that ends a composition from submitting the form of a one-line input. */
export function guardComposition(input) {
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && isComposing(event)) event.preventDefault();
  });
}

/** A round sign with the first letter of a name, in a colour that the name always gets. */
export function avatar(name) {
  return element("span", { class: `avatar hue-${hue(name)}`, "aria-hidden": "true" }, initial(name));
}

const HUES = 8;

function hue(name) {
  let sum = 7;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 65_521;
  return sum % HUES;
}

const graphemes = typeof Intl.Segmenter === "function" ? new Intl.Segmenter() : null;

function initial(name) {
  // A Hindi or Thai letter is more than one code point.
  const first = graphemes ? graphemes.segment(name)[Symbol.iterator]().next().value?.segment : [...name][0];
  return (first ?? "?").toLocaleUpperCase();
}
