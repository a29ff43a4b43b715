/* The answer, large, and how it came about. */

import { count, milliseconds, percent, say, sayProblem } from "./language.js";
import { copyOnClick } from "./copy.js";
import { curl } from "./curl.js";
import { make } from "./make.js";

const find = (id) => document.getElementById(id);

/** What stands on the right side: nothing yet, the wait for it, an answer, or a problem. */
export class Answer {
  #state = { kind: "empty" };
  #timer = 0;
  #again;

  /** `again` is called when somebody wants the same sent once more. */
  constructor(again) {
    this.#again = again;
    find("again").addEventListener("click", () => this.#again());
    copyOnClick(find("copy-uuid"), () => this.#state.reply.uuid);
    copyOnClick(find("copy-curl"), () => curl(this.#state.asked));
  }

  empty() {
    this.#become({ kind: "empty" });
  }

  wait() {
    this.#become({ kind: "waiting" });
  }

  /** `asked`: what was sent. */
  tell(reply, asked) {
    this.#become({ kind: "answer", reply, asked });
    const sure = reply.confidence === undefined ? "" : percent(reply.confidence);
    find("spoken").textContent = say("answer.spoken", this.#text(reply), sure);
  }

  fail(problem) {
    this.#become({ kind: "problem", problem, until: performance.now() + 1000 * (problem.retryAfter ?? 0) });
    find("spoken").textContent = sayProblem(problem).join(". ");
  }

  /** Also when another language is chosen. */
  render() {
    const { kind, reply, problem } = this.#state;
    clearTimeout(this.#timer);
    find("answer").dataset.kind = kind;
    find("answer").setAttribute("aria-busy", String(kind === "waiting"));
    find("glyph").textContent = kind === "answer" ? this.#text(reply) : "";
    find("glyph").classList.toggle("long", kind === "answer" && [...this.#text(reply)].length > 1);
    find("answer-hint").textContent =
      kind === "empty" ? say("answer.empty") : kind === "waiting" ? say("answer.reading") : "";
    find("problem").hidden = kind !== "problem";
    find("facts").hidden = find("others").hidden = kind !== "answer";
    if (kind === "answer") this.#renderReply();
    if (kind === "problem") this.#renderProblem(problem);
  }

  #become(state) {
    this.#state = state;
    find("spoken").textContent = "";
    this.render();
  }

  #text(reply) {
    if (reply.answer !== "isnull") return reply.answer;
    return say(reply.pages ? "answer.blank" : "answer.isnull");
  }

  #renderReply() {
    const { reply, asked } = this.#state;
    find("others").replaceChildren(...reply.alternatives.map(other));
    find("others").hidden = reply.alternatives.length === 0;
    this.#fact("sure", reply.confidence === undefined ? "" : percent(reply.confidence));
    this.#renderMembers(reply.members);
    this.#fact("queue", Number.isNaN(reply.queueMs) ? "" : milliseconds(reply.queueMs));
    this.#fact("compute", Number.isNaN(reply.computeMs) ? "" : milliseconds(reply.computeMs));
    this.#fact("way", milliseconds(reply.wayMs));
    this.#fact("source", say(`source.${reply.source}`) ?? reply.source);
    this.#fact("bundle", reply.bundle);
    this.#fact("picture", [asked.name, asked.note && say(asked.note)].filter(Boolean).join(" · "));
    find("uuid").textContent = reply.uuid;
    find("curl").textContent = curl(asked, { short: true });
  }

  #renderMembers({ asked, of, ended }) {
    if (!of) {
      this.#fact("members", "");
      return;
    }
    this.#fact("members", say("members.of", count(asked), count(of)));
    const dots = make("span", "dots");
    dots.ariaHidden = "true";
    for (let member = 1; member <= of; member += 1) {
      dots.append(make("i", member <= asked ? "asked" : ""));
    }
    find("fact-members").prepend(dots);
    if (asked < of || ended === "express") {
      const why = make("small", "", say(`members.${ended}`));
      find("fact-members").append(why);
    }
  }

  #fact(name, text) {
    find(`fact-${name}`).textContent = text;
    find(`fact-${name}`).parentElement.hidden = !text;
  }

  #renderProblem(problem) {
    const [title, detail] = sayProblem(problem);
    find("problem-title").textContent = title;
    find("problem-detail").textContent = detail;
    const button = find("again");
    button.hidden = problem.retryAfter === null;
    const seconds = Math.ceil((this.#state.until - performance.now()) / 1000);
    button.disabled = seconds > 0;
    button.textContent = seconds > 0 ? say("again.in", count(seconds)) : say("again");
    if (seconds > 0) this.#timer = setTimeout(() => this.#renderProblem(problem), 250);
  }
}

function other({ text, confidence }) {
  const item = make("li", "");
  const glyph = make("span", "other", text === "isnull" ? say("other.isnull") : text);
  glyph.lang = "zh-Hant-TW";
  const bar = make("i", "bar");
  bar.style.setProperty("--share", String(confidence));
  item.append(glyph, bar, make("span", "share", percent(confidence)));
  return item;
}
