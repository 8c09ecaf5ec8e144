// What the page says, in the reader's language: English, or Chinese.

const isChinese = navigator.language.toLowerCase().startsWith('zh');

/** The language of the page, as a code. */
const language = isChinese ? 'zh-CN' : 'en';

const WORDS = await (await fetch(isChinese ? '/zh.json' : '/en.json')).json();

/** A number as the reader writes it. */
export const number = value => value.toLocaleString(language);

/** The words of a key, with `{name}` replaced by values. */
export function say(key, values = {}) {
  const words = WORDS[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (all, name) => {
    const value = values[name];
    return typeof value === 'number' ? number(value) : value ?? all;
  });
}

const ESCAPES = { '\t': '\\t', '\n': '\\n', '\r': '\\r' };
const escape = one => ESCAPES[one] ?? `\\u{${one.codePointAt(0).toString(16)}}`;

/**
 * A text with control characters, and those that reorder text or break lines, escaped as the
 * command line prints them; a path as a whole. The page shows line breaks and tabs as spaces, which
 * suits captions and messages.
 */
export const shown = text =>
  text.replace(/(?![\t\n\r])[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, escape);
export const shownPath = path => path.replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, escape);

/** Whether there are words for a key. */
export const isKnown = key => key in WORDS;

/** Fills in the elements that name their words: as text, label or placeholder. */
export function translate(root) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll('[data-say]')) {
    element.textContent = say(element.dataset.say);
  }
  for (const element of root.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', say(element.dataset.label));
    element.title = say(element.dataset.label);
  }
  for (const element of root.querySelectorAll('[data-hint]')) {
    element.placeholder = say(element.dataset.hint);
  }
}

/** A date such as 2023, 2023-06 or 2023-06-14T17:03:21 as the reader writes it. */
export function day(taken, hasTime = false) {
  if (!taken) return say('undated');
  const [date, time] = taken.split('T');
  const [year, month, date_of_month] = date.split('-').map(Number);
  const options = { year: 'numeric', timeZone: 'UTC' };
  if (month) options.month = 'short';
  if (date_of_month) options.day = 'numeric';
  const moment = new Date(Date.UTC(year, (month || 1) - 1, date_of_month || 1));
  const words = moment.toLocaleDateString(language, options);
  return hasTime && time ? `${words}, ${time.slice(0, 5)}` : words;
}

/** The month of a date, for the label beside the scroll bar. */
export const month = taken => taken ? day(taken.slice(0, 7)) : say('undated');

/** A number of bytes, as a few digits and a unit. */
export function bytes(value) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${value < 10 && at ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}
