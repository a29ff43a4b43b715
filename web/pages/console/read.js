/* The page at `/`: something is written or chosen, and read. */

import { Answer } from "./answer.js";
import { intake } from "./intake.js";
import { onLanguage, say, sayProblem } from "./language.js";
import { Paper } from "./paper.js";
import { base64, shown, ways } from "./picture.js";
import { everySecond } from "./poll.js";
import { Problem, algorithms, infer, newUuid } from "./service.js";
import { Served } from "./served.js";
import { Sheet } from "./sheet.js";

const find = (id) => document.getElementById(id);

const paper = new Paper(find("paper"), find("frame"));
const answer = new Answer(() => send());
const served = new Served(find("algorithms"), find("state"));
const sheet = new Sheet(find("sheet"));

// What is on its way or was sent last: `{algorithm, uuid, image, seconds, name, note, bitmap}`.
let asked = null;
let underWay = null;
// What lies there instead of something written: `{file, bitmap}`.
let brought = null;
let hasPen = true;

/** Read these bytes as something new; the problem that came of it, if there was one. */
async function ask(blob, { name = "", note = null, bitmap = null } = {}) {
  const algorithm = served.chosen;
  if (algorithm === null) return fail(new Problem({ type: "no-worker-ready" }));
  const image = await base64(blob);
  const seconds = Math.floor(Date.now() / 1000);
  asked = { algorithm, uuid: newUuid(), image, seconds, name, note, bitmap };
  return send();
}

function fail(problem) {
  answer.fail(problem);
  return problem;
}

/** Send what was asked, for the first time or again: the service computes it once. */
async function send() {
  underWay?.abort();
  const turn = (underWay = new AbortController());
  answer.wait();
  sheet.hide();
  let problem = null;
  try {
    const reply = await infer(asked, turn.signal);
    if (turn !== underWay) return null;
    answer.tell(reply, asked);
    if (reply.pages) sheet.show(reply.pages, asked.bitmap);
  } catch (error) {
    if (turn !== underWay) return null;
    if (!(error instanceof Problem)) throw error;
    problem = fail(error);
  }
  find("answer").scrollIntoView({ block: "nearest" });
  return problem;
}

/** Read the file that lies there, smaller if it must be. */
async function readBrought() {
  const { file, bitmap } = brought;
  for await (const { blob, note } of ways(file, bitmap)) {
    const problem = await ask(blob, { name: file.name, note, bitmap });
    const tooLarge = ["image-unreadable", "too-large"].includes(problem?.type);
    if (!tooLarge || brought?.file !== file) return;
  }
}

async function read() {
  if (brought && !paper.isFramed) return readBrought();
  if (paper.isEmpty) return fail(new Problem({ type: "empty" }));
  const blob = await paper.image();
  return ask(blob, { name: brought?.file.name, bitmap: await shown(blob) });
}

async function take(file) {
  const bitmap = await shown(file);
  paper.clear();
  if (bitmap) paper.show(bitmap);
  brought = { file, bitmap };
  renderPaper();
  await readBrought();
}

function renderPaper() {
  const holds = brought ? (brought.bitmap ? "picture" : "unseen") : paper.isEmpty ? "nothing" : "strokes";
  find("desk").dataset.holds = holds;
  find("paper-hint").textContent = {
    unseen: `${brought?.file.name}: ${say("paper.blind")}`,
    picture: say("paper.frame"),
    nothing: say(hasPen ? "paper.hint" : "paper.nopen"),
    strokes: "",
  }[holds];
  find("undo").disabled = holds !== "strokes";
  find("clear").disabled = holds === "nothing";
}

paper.addEventListener("change", renderPaper);
paper.addEventListener("frame", read);
find("undo").addEventListener("click", () => paper.undo());
find("clear").addEventListener("click", () => {
  underWay?.abort();
  underWay = brought = null;
  paper.clear();
  answer.empty();
  sheet.hide();
});
find("read").addEventListener("click", read);
document.addEventListener("keydown", (event) => {
  const withControl = event.ctrlKey || event.metaKey;
  if (withControl && event.key === "z" && !event.target.matches("input")) paper.undo();
  if (withControl && event.key === "Enter") read();
});
intake(take, [find("choose"), find("photo")], find("veil"));

onLanguage(() => {
  renderPaper();
  answer.render();
  served.render();
  sheet.render();
});

everySecond(async () => {
  try {
    served.know(await algorithms());
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    served.lose(sayProblem(error)[0]);
  }
  find("choose").accept = served.accepts;
});

hasPen = await paper.takePen();
renderPaper();
