/* The page at `/operator`: how everything is, once a second. */

import { bytes, count, onLanguage, say, sayProblem } from "./language.js";
import { Replies } from "./history.js";
import { everySecond } from "./poll.js";
import { Problem, overview, usage } from "./service.js";
import { Evidence } from "./evidence.js";
import { Usage } from "./usage.js";
import { Version } from "./version.js";
import { make } from "./make.js";

const find = (id) => document.getElementById(id);

const replies = new Replies();
const versions = new Map();
const used = new Usage(find("usage"));
const evidence = new Evidence(find("evidence"));
let known = null;
let problem = null;

function know(told) {
  const now = performance.now();
  known = told;
  problem = told.problem && new Problem(told.problem);
  replies.know(told.front, told.replies, now);
  const names = told.versions.map(({ version }) => version);
  for (const name of versions.keys()) if (!names.includes(name)) versions.delete(name);
  for (const version of told.versions) {
    if (!versions.has(version.version)) versions.set(version.version, new Version());
    versions.get(version.version).know(version, now);
  }
}

/** How many replies of these statuses there were in the last minute. */
function lately(...statuses) {
  const rows = replies.rows.filter(({ labels }) => statuses.includes(labels.status));
  return rows.reduce((sum, { minute }) => sum + minute, 0);
}

/** The sentence that says it all, and one that explains it. */
function health() {
  if (problem) return ["lost", ...sayProblem(problem)];
  if (!known) return ["asking", say("state.asking"), ""];
  const serving = known.versions.filter(({ state }) => state !== "beside");
  if (!serving.length) return ["absent", say("operate.none"), ""];
  if (serving.some(({ workers }) => !workers)) return ["absent", say("operate.absent"), ""];
  if (serving.some(({ ready }) => !ready)) return ["loading", say("operate.loading"), ""];
  const trouble = [
    ["operate.refusing", lately("429", "503")],
    ["operate.late", lately("504")],
  ].filter(([, times]) => times);
  if (!trouble.length) return ["ready", say("operate.well"), ""];
  const [first, second = ""] = trouble.map(([words, times]) => say(words, times));
  return ["loading", first, second];
}

function renderReplies() {
  const rows = replies.rows;
  find("replies").hidden = !known;
  find("fronts").textContent = say("replies.lead", replies.fronts);
  find("no-replies").hidden = rows.length > 0;
  find("replies").querySelector("table").hidden = rows.length === 0;
  find("replies").querySelector("tbody").replaceChildren(
    ...rows.map(({ labels, count: total, minute }) => {
      const { algorithm, status, source, type } = labels;
      const row = make("tr", type ? "refused" : "");
      const what = make("th", "", type ? sayProblem({ type, title: type })[0] : say(`reply.${source}`));
      what.scope = "row";
      what.append(make("small", "", [status, type, algorithm].filter(Boolean).join(" · ")));
      for (const value of [minute, total]) {
        row.append(make("td", value ? "number" : "number nothing", count(value)));
      }
      row.prepend(what);
      return row;
    }),
  );
}

function renderRedis() {
  const redis = known?.redis ?? {};
  const facts = [];
  if (redis.used_bytes !== undefined) {
    facts.push(["redis.memory", redis.used_bytes, redis.max_bytes]);
  }
  if (redis.image_bytes !== undefined) {
    facts.push(["redis.images", redis.image_bytes, redis.max_image_bytes]);
  }
  find("redis").hidden = !facts.length;
  find("redis").querySelector("dl").replaceChildren(
    ...facts.map(([name, used, most]) => {
      const fact = make("div", "");
      const text = most ? say("redis.of", bytes(used), bytes(most)) : say("redis.unlimited", bytes(used));
      const told = make("dd", "", text);
      if (most) {
        const bar = make("i", "bar");
        bar.style.setProperty("--share", String(Math.min(1, used / most)));
        told.append(bar);
      }
      fact.append(make("dt", "", say(name)), told);
      return fact;
    }),
  );
}

function render() {
  const [kind, sentence, detail] = health();
  // A screen reader says what is set, so only what differs is.
  if (find("health").textContent !== sentence) find("health").textContent = sentence;
  find("health-detail").textContent = detail;
  find("state").dataset.kind = kind;
  find("state").textContent = say(known && problem?.type !== "unreachable" ? "operate.live" : "operate.lost");
  for (const version of versions.values()) version.render(known.default);
  const order = [...versions.keys()].sort();
  const shown = [...find("versions").children];
  const wanted = order.map((name) => versions.get(name).element);
  if (wanted.length !== shown.length || wanted.some((element, place) => element !== shown[place])) {
    find("versions").replaceChildren(...wanted);
  }
  renderReplies();
  renderRedis();
}

// Usage is looked at every so many seconds.
const USAGE_EVERY = 10;
let looks = 0;

everySecond(async () => {
  try {
    know(await overview());
    if (looks % USAGE_EVERY === 0) used.know(await usage());
    looks += 1;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    problem = error;
  }
  render();
});

// What is marked in these tables, to be copied, stays marked: they change when something else is known.
onLanguage(() => {
  render();
  used.render();
  evidence.render();
});
