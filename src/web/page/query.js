// What is searched for, as it stands in the address of the page, and the list that answers it.

import { get, post } from './api.js';
import { shown, shownPath } from './words.js';

/** Pictures that were dropped, pasted or chosen, by the name that stands in the address. */
const pictures = new Map();

/** Keeps a picture to search with; returns its name. */
export function keepPicture(blob) {
  const name = `p${Date.now().toString(36)}${pictures.size}`;
  pictures.set(name, { blob, url: URL.createObjectURL(blob) });
  return name;
}

export const picture = name => pictures.get(name);

/** What all photos are asked for with, and what a search changes. */
export const NOTHING = {
  q: '', sort: '', min: '', like: [], unlike: [], picture: '', view: '',
};

const isWhole = text => /^\d{1,15}$/.test(text);

/** The names in the address, and which values each may have. */
const VALUES = {
  q: () => true,
  sort: text => text === 'date',
  min: text => text.trim() !== '' && Number(text) >= 0 && Number(text) <= 1,
  like: isWhole,
  unlike: isWhole,
  picture: () => true,
  view: text => ['map', 'duplicates'].includes(text),
  at: isWhole,
  open: isWhole,
};

/** The state that the address of the page stands for, and what in it has no meaning. */
export function fromAddress() {
  const known = {};
  const unknown = [];
  for (const [name, value] of new URLSearchParams(location.search)) {
    const isFirst = Object.hasOwn(VALUES, name) && !Object.hasOwn(known, name);
    if (isFirst && !value) continue;
    const parts = ['like', 'unlike'].includes(name) ? value.split(',') : [value];
    const isKnown = part => isFirst && VALUES[name](part);
    unknown.push(...parts.filter(part => !isKnown(part)).map(part => `${name}=${part}`));
    const meant = parts.filter(isKnown);
    if (meant.length) known[name] = meant;
  }
  const one = name => known[name]?.[0] ?? '';
  const ids = name => (known[name] ?? []).map(Number);
  const state = {
    q: one('q'),
    sort: one('sort'),
    min: one('min'),
    like: ids('like'),
    unlike: ids('unlike'),
    picture: one('picture'),
    view: one('view'),
    at: Number(one('at')),
    open: known.open ? Number(one('open')) : null,
  };
  return { state, unknown };
}

/** The address of a state. */
export function toAddress(state) {
  const at = new URLSearchParams();
  for (const name of ['q', 'sort', 'min', 'picture', 'view', 'at']) {
    if (state[name]) at.set(name, state[name]);
  }
  for (const name of ['like', 'unlike']) {
    if (state[name].length) at.set(name, state[name].join(','));
  }
  if (state.open !== null) at.set('open', state.open);
  const text = at.toString();
  return text ? `/?${text.replaceAll('%2C', ',').replaceAll('%3A', ':')}` : '/';
}

/** Whether two states are answered by the same list. */
export const isSameSearch = (a, b) =>
  ['q', 'sort', 'min', 'picture'].every(name => a[name] === b[name])
  && ['like', 'unlike'].every(name => a[name].join() === b[name].join());

/** Whether something is searched for, so that photos have an order by relevance. */
export const isSearch = state =>
  Boolean(state.like.length || state.unlike.length || state.picture || withoutFilters(state.q));

/** A list of hits, of which pages are loaded in any order. */
class List {
  constructor(answer) {
    this.answer = answer;
    this.total = answer.total ?? answer.hits.length;
    this.likely = answer.n_likely ?? null;
    this.name = (answer.cursor ?? answer.next ?? '').split('.')[0];
  }

  /** The hits of these places. */
  async load(from, to) {
    const hits = [];
    while (from < to) {
      const limit = Math.min(1000, to - from);
      const answer = await get('/v1/search', { cursor: `${this.name}.${from}`, limit });
      hits.push(...answer.hits);
      if (!answer.hits.length) break;
      from += answer.hits.length;
    }
    return hits;
  }
}

/** Hits that are asked for with the search itself. */
const FIRST = 100;

/** Asks the server; resolves to the list. */
export async function search(state, signal) {
  const { q, like, unlike, picture: name } = state;
  const options = { sort: state.sort, min_confidence: state.min, limit: FIRST };
  if (!like.length && !unlike.length && !name) {
    return new List(await get('/v1/search', { q, ...options }, signal));
  }
  if (!q && !name && !unlike.length && !state.sort && like.length === 1) {
    const { sort, ...rest } = options;
    return new List(await get(`/v1/similar/${like[0]}`, rest, signal));
  }
  const body = { q, like, unlike, limit: FIRST };
  if (state.sort) body.sort = state.sort;
  if (state.min) body.min_confidence = Number(state.min);
  if (!name) return new List(await (await post('/v1/search', body, signal)).json());
  const form = new FormData();
  form.set('query', JSON.stringify(body));
  form.set('picture', pictures.get(name).blob, 'picture');
  return new List(await (await post('/v1/search', form, signal)).json());
}

const KEYS = 'in|date|on|after|before|camera|place|near|type|orientation|min-size|tag|has|is';
const FILTER = new RegExp(`(^|\\s)(-?)(${KEYS}):("(?:[^"\\\\]|\\\\[^])*"|\\S+)`, 'gi');

/** The filters in the text of the search box: `{ text, key, value }`. */
export const filters = q => [...q.matchAll(FILTER)].map(([text, , minus, key, value]) => ({
  text: text.trim(),
  key: key.toLowerCase(),
  isNegated: minus === '-',
  value: /^".*"$/s.test(value) ? value.slice(1, -1).replace(/\\(["“”„\\])/g, '$1') : value,
}));

const tidied = text => text.replace(/\s+/g, ' ').trim();

/** The words of the search box. */
export const withoutFilters = q => tidied(q.replace(FILTER, ' '));

/** The text of the search box without one filter. */
export function without(q, text) {
  const at = ` ${q} `.indexOf(` ${text} `);
  return at < 0 ? q : tidied(` ${q} `.slice(0, at) + ' ' + ` ${q} `.slice(at + text.length + 1));
}

/** A filter as it is typed: inside quotation marks, a backslash stands before them and before
 * another backslash. */
export const typed = (key, value) => {
  const isPlain = !/[\s"“”„]|^\/\/|[,;]$/.test(value);
  return `${key}:${isPlain ? value : `"${value.replace(/["“”„\\]/g, '\\$&')}"`}`;
};

/** The text of the search box with a filter. */
export const withFilter = (q, key, value) =>
  filters(q).some(one => one.key === key && one.value === value && !one.isNegated)
    ? q : `${tidied(q)} ${typed(key, value)}`.trimStart();

/** The names that a path consists of. A `\` is part of a name, except in paths of Windows. */
const namesOf = path => path.split(/^([a-z]:|\\\\)/i.test(path) ? /[/\\]/ : '/');

/** The last `n` names of a path, to be shown. */
export const nameOf = (path, n = 1) => shownPath(namesOf(path).slice(-n).join('/'));

/** The path of the folder that a file is in. */
export const folderOf = path => path.slice(0, -namesOf(path).at(-1).length - 1) || '/';

/** The best caption of a photo, or its file's name, to be shown. */
export const titleOf = hit => shown(hit.caption?.text ?? hit.captions?.[0]?.text
  ?? hit.captions?.[0] ?? nameOf(hit.path));
