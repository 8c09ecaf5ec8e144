// Requests to the server that the page came from.

/** What the server answered instead of what was asked for (RFC 9457). */
export class Problem extends Error {
  constructor(status, name, detail) {
    super(detail);
    this.status = status;
    /** The end of its type: `no-index`, `list-expired`, …; `unreachable` without a server. */
    this.name = name;
  }
}

/** Asked for the token when the server wants one; resolves when it was accepted. */
let login = async () => {};
let pending = null;

export function onLogin(ask) {
  login = ask;
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0, 'unreachable', error.message);
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const name = (problem.type ?? '').split('/').pop() || 'failed';
  throw new Problem(response.status, name, problem.detail ?? response.statusText);
}

async function ask(path, options = {}, nTries = 3) {
  try {
    return await request(path, options);
  } catch (error) {
    if (error.status === 401) {
      pending ??= login().finally(() => { pending = null; });
      await pending;
      return ask(path, options, nTries);
    }
    // The server has too much to do at the moment.
    if (error.status === 429 && nTries > 0) {
      await new Promise(done => setTimeout(done, 1000));
      return ask(path, options, nTries - 1);
    }
    throw error;
  }
}

/** The JSON that is answered to a GET; parameters that are empty are left out. */
export async function get(path, parameters = {}, signal = undefined) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== '') asked.set(name, value);
  }
  const text = asked.toString();
  const response = await ask(text ? `${path}?${text}` : path, { signal });
  return response.json();
}

function posted(body) {
  if (body instanceof FormData) return { method: 'POST', body };
  const headers = { 'Content-Type': 'application/json' };
  return { method: 'POST', headers, body: JSON.stringify(body) };
}

/** The response to a POST of a form or of anything as JSON. */
export const post = (path, body, signal = undefined) => ask(path, { ...posted(body), signal });

/** Shows the server its token; it answers with a cookie, so that pictures can be fetched too. */
export const open = token => request('/v1/session', posted({ token }));

/** Whether a server answers, whatever it says. */
export const isThere = () => fetch('/healthz').then(() => true, () => false);

/** The address of a thumbnail of at least this size, in pixels. */
export const thumbnail = (id, size) => `/v1/items/${id}/thumbnail?size=${size}`;

/** The address of a picture's file. */
export const file = id => `/v1/items/${id}/file`;
