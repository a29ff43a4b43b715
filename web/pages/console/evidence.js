/* What was replied to a uuid, by whom and why so: the logbook, asked by hand. */

import { milliseconds, moment, say, sayProblem } from "./language.js";
import { head, make } from "./make.js";
import { Problem, evidence } from "./service.js";

const COLUMNS = ["arrived", "answer", "source", "members", "bundle", "took", "account"];

export class Evidence {
  #section;
  #replies = [];
  #problem = null;

  constructor(section) {
    this.#section = section;
    section.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask(section.querySelector("input").value.trim());
    });
  }

  async #ask(uuid) {
    [this.#replies, this.#problem] = [[], null];
    try {
      this.#replies = await evidence(uuid);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#problem = error;
    }
    const whole = this.#section.querySelector("details");
    whole.querySelector("pre").textContent = JSON.stringify(this.#replies, null, 1);
    this.render();
  }

  /** In the language of now. */
  render() {
    const find = (name) => this.#section.querySelector(name);
    const said = this.#problem
      ? sayProblem(this.#problem).filter(Boolean).join(" ")
      : this.#replies.length ? say("evidence.found", this.#replies.length) : "";
    // A screen reader says what is set, so only what differs is.
    if (find(".said").textContent !== said) find(".said").textContent = said;
    find(".wide").hidden = find("details").hidden = !this.#replies.length;
    if (!this.#replies.length) return;
    find("thead tr").replaceChildren(...COLUMNS.map((name) => head(say(`evidence.${name}`))));
    find("tbody").replaceChildren(...this.#replies.map(row));
  }
}

function row(reply) {
  const answered = reply.outcome === "answered";
  const line = make("tr", answered ? "" : "refused");
  const arrived = make("th", "", moment(reply.arrived_ms));
  arrived.scope = "row";
  const problem = { type: reply.outcome, title: reply.outcome };
  const cells = [
    answered ? reply.answer : sayProblem(problem)[0],
    reply.source ? say(`source.${reply.source}`) : "",
    reply.members ? `${reply.members}/${reply.of_members} · ${say(`stopped.${reply.stopped}`)}` : "",
    reply.bundle ?? "",
    milliseconds(reply.answered_ms - reply.arrived_ms),
    reply.account ?? "",
  ];
  line.append(arrived, ...cells.map((text) => make("td", "", text)));
  return line;
}
