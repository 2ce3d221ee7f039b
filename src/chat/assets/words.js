// What the page says: times in the reader's own manner, refusals in whole sentences.

/** The longest message in code points, as the server counts. */
export const BODY_MAX = 4000;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const thisYear = new Intl.DateTimeFormat(undefined, { weekday: "long", month: "long", day: "numeric" });
const otherYear = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const number = new Intl.NumberFormat();

/** Hours and minutes. */
export function timeOf(at) {
  return clock.format(at);
}

/** Everything about a moment, for a tool tip. */
export function momentOf(at) {
  return moment.format(at);
}

/** The same number for all moments of one day where the reader is. */
export function dayOf(at) {
  const day = new Date(at);
  return Math.round(Date.UTC(day.getFullYear(), day.getMonth(), day.getDate()) / 86_400_000);
}

/** "Today", "yesterday", or the date. */
export function dayName(at, now = Date.now()) {
  const days = dayOf(at) - dayOf(now);
  if (days === 0 || days === -1) return capital(relative.format(days, "day"));
  const year = new Date(at).getFullYear() === new Date(now).getFullYear();
  return (year ? thisYear : otherYear).format(at);
}

/** A count with the noun in the right number. */
export function count(n, noun) {
  return `${number.format(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** A number with the reader's separators. */
export function figure(n) {
  return number.format(n);
}

/** What a badge shows of a number of unread messages. */
export function badge(n) {
  return n > 99 ? "99+" : String(n);
}

/** Whole seconds until a moment, at least one. */
export function secondsUntil(moment, now = Date.now()) {
  return Math.max(1, Math.ceil((moment - now) / 1000));
}

const REFUSALS = {
  busy: "The room is busy.",
  rate_limited: "You are sending quickly.",
  storage: "The server cannot save messages at the moment.",
  invalid: "The server did not accept this message.",
  too_long: `A message has at most ${number.format(BODY_MAX)} characters.`,
  timeout: "The server did not answer.",
};

/** Why a post was refused, as a sentence. */
export function refusal(reason) {
  return REFUSALS[reason] ?? "The server refused this message.";
}

function capital(text) {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
