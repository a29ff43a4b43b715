/* Which language the page speaks: the one chosen here before, else the browser's, else English. */

import { WORDS } from "./words.js";

const KEPT = "punctual.language";

// Storage may be forbidden; then the choice lasts as long as the page.
function remembered() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function preferred() {
  const wanted = [remembered(), ...navigator.languages].filter(Boolean);
  for (const language of wanted) {
    if (language.startsWith("zh")) return "zh-Hant";
    if (language.startsWith("en")) return "en";
  }
  return "en";
}

let current = preferred();
const listeners = [];

/** Call it now and whenever another language is chosen. */
export function onLanguage(listener) {
  listeners.push(listener);
  listener();
}

/** What is said under a key; what it is said of comes behind. */
export function say(key, ...values) {
  const words = WORDS[current][key];
  return typeof words === "function" ? words(...values) : words;
}

/** Two lines about a problem: what it is, and what to do. Of an unknown one the service's own. */
export function sayProblem({ type, title, detail }) {
  return WORDS[current][`problem.${type}`] ?? [title, detail];
}

const format = (options) => (value) => new Intl.NumberFormat(current, options).format(value);
export const count = format({ maximumFractionDigits: 1 });
export const milliseconds = (value) => `${format({ maximumFractionDigits: value < 10 ? 1 : 0 })(value)} ms`;

/** A probability; what is nearly nothing is not called nothing, nor what is nearly certain certain. */
export function percent(value) {
  const told = format({ style: "percent", maximumFractionDigits: 1 });
  if (value < 0.001) return `< ${told(0.001)}`;
  return value > 0.999 ? `> ${told(0.999)}` : told(value);
}

/** A moment, as people here write it. */
export const moment = (text, timeStyle = "short") =>
  new Intl.DateTimeFormat(current, { dateStyle: "medium", timeStyle }).format(new Date(text));

export function bytes(value) {
  const units = ["B", "kB", "MB", "GB"];
  let step = 0;
  for (; value >= 1000 && step < units.length - 1; step += 1) value /= 1000;
  return `${format({ maximumFractionDigits: value < 10 ? 1 : 0 })(value)} ${units[step]}`;
}

function translate() {
  document.documentElement.lang = current;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = say(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
  }
  document.title = say(document.body.dataset.title);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === current));
  }
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    current = button.dataset.language;
    try {
      localStorage.setItem(KEPT, current);
    } catch {
      // As above.
    }
    for (const listener of listeners) listener();
  });
}

onLanguage(translate);
