/* The page at `/batch`: many pictures as one job, and how far each job is, once a second. */

import { onLanguage, percent, say, sayProblem } from "./language.js";
import { intake } from "./intake.js";
import { Job } from "./job.js";
import { order } from "./order.js";
import { everySecond } from "./poll.js";
import { Served } from "./served.js";
import { Problem, algorithms, jobs } from "./service.js";

const find = (id) => document.getElementById(id);

const served = new Served(find("algorithms"), find("state"));
const shown = new Map();
let problem = null;
// The file that is on its way, and how much of it has gone.
let sending = null;

async function take(file) {
  if (sending) return;
  sending = { name: file.name, share: 0 };
  problem = null;
  render();
  try {
    await order(file, served.chosen, (share) => {
      sending.share = share;
      renderSending();
    });
    await look();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    problem = error;
  } finally {
    sending = null;
    render();
  }
}

async function look() {
  const told = await jobs();
  const names = told.map(({ id }) => id);
  for (const name of shown.keys()) if (!names.includes(name)) shown.delete(name);
  for (const job of told) {
    if (!shown.has(job.id)) shown.set(job.id, new Job(fail));
    shown.get(job.id).know(job);
  }
  // Whoever is on a button of one stays there: what is in its place already is left alone.
  names.forEach((name, place) => {
    const { element } = shown.get(name);
    const there = find("jobs").children[place];
    if (there !== element) find("jobs").insertBefore(element, there ?? null);
  });
  while (find("jobs").children.length > names.length) find("jobs").lastChild.remove();
  find("none").hidden = names.length > 0;
}

function fail(error) {
  problem = error;
  render();
}

function renderSending() {
  find("sending").textContent = sending ? say("jobs.sending", sending.name, percent(sending.share)) : "";
}

function render() {
  renderSending();
  find("choose").disabled = Boolean(sending);
  find("problem").hidden = !problem;
  if (problem) {
    // Of a job that is refused, the service's own words say more.
    const [title, detail] = sayProblem(problem);
    find("problem-title").textContent = title;
    find("problem-detail").textContent = problem.detail || detail;
  }
  for (const job of shown.values()) job.render();
}

intake(take, [find("choose")], find("veil"), { pasted: false });

onLanguage(() => {
  served.render();
  render();
});

everySecond(async () => {
  try {
    served.know(await algorithms());
    await look();
    if (problem?.type === "unreachable") problem = null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.type === "not-found") problem = new Problem({ type: "no-jobs" });
    else served.lose(sayProblem(error)[0]);
  }
  render();
});
