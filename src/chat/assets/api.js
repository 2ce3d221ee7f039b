// The HTTP side of the server. Every answer is JSON; every refusal becomes an ApiError with words for people.

/** How long an answer may take; password hashing may have to queue. */
const ANSWER_MS = 20_000;

/** A refusal. `status` is 0 if there was no answer at all. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const signUp = (username, password) => request("POST", "/api/users", { username, password });
export const signIn = (username, password) => request("POST", "/api/session", { username, password });
export const signOut = () => request("DELETE", "/api/session");
export const rooms = async () => (await request("GET", "/api/rooms")).rooms;
export const createRoom = async (name) => (await request("POST", "/api/rooms", { name })).room;

/** At most `limit` messages of a room that are older than `before`, oldest first. */
export async function history(room, before, limit) {
  const path = `/api/rooms/${encodeURIComponent(room)}/messages?before=${before}&limit=${limit}`;
  return (await request("GET", path)).messages;
}

async function request(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch {
    throw new ApiError(0, "unreachable", "The server cannot be reached.");
  }
  const json = await answer.json().catch(() => null);
  if (!answer.ok) {
    const error = json?.error;
    throw new ApiError(answer.status, error?.code ?? "", sentence(error?.message) ?? fallback(answer.status));
  }
  return json;
}

function sentence(text) {
  if (typeof text !== "string" || text === "") return null;
  const capital = text.charAt(0).toLocaleUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

function fallback(status) {
  if (status === 429 || status === 503) return "The server is busy. Try again in a moment.";
  return `The server refused the request (${status}).`;
}
