/* What was replied, by whom and why so: the logbook, asked by hand. */

import { milliseconds, moment, say, sayProblem } from "./language.js";
import { head, make } from "./make.js";
import { Problem, evidenceOf, searchEvidence } from "./service.js";

const COLUMNS = ["arrived", "answer", "source", "members", "bundle", "took", "account"];
const PAGE = 50;

export class Evidence {
  #section;
  #form;
  #asked = null;
  #replies = [];
  #next = null;
  #problem = null;

  constructor(section) {
    this.#section = section;
    this.#form = section.querySelector("form");
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      [this.#asked, this.#replies, this.#next] = [this.#filledIn(), [], null];
      this.#ask();
    });
    // A uuid says it all.
    this.#form.elements.uuid.addEventListener("input", ({ target }) => {
      for (const field of this.#form.querySelectorAll("input:not([name=uuid])")) {
        field.disabled = target.value.trim() !== "";
      }
    });
    section.querySelector(".more").addEventListener("click", () => this.#ask());
  }

  /** By the names that the API has for it. */
  #filledIn() {
    const said = [...new FormData(this.#form)].map(([name, value]) => [name, value.trim()]);
    return Object.fromEntries(
      said
        .filter(([, value]) => value)
        .map(([name, value]) => [name, name.endsWith("_ms") ? Date.parse(value) : value]),
    );
  }

  async #ask() {
    const asked = this.#asked;
    let found = { evidence: [], next: null };
    this.#problem = null;
    try {
      if (asked.uuid) found.evidence = await evidenceOf(asked.uuid);
      else found = await searchEvidence({ ...asked, limit: PAGE, ...(this.#next && { cursor: this.#next }) });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#problem = error;
    }
    // Something else was asked for meanwhile.
    if (asked !== this.#asked) return;
    if (!this.#problem) {
      this.#replies.push(...found.evidence);
      this.#next = found.next;
    }
    this.#section.querySelector("pre").textContent = JSON.stringify(this.#replies, null, 1);
    this.render();
  }

  #said() {
    if (this.#problem) return sayProblem(this.#problem).filter(Boolean).join(" ");
    if (!this.#asked) return "";
    return this.#replies.length ? say("evidence.found", this.#replies.length) : say("evidence.none");
  }

  /** In the language of now. */
  render() {
    const find = (name) => this.#section.querySelector(name);
    const said = this.#said();
    // A screen reader says what is set, so only what differs is.
    if (find(".said").textContent !== said) find(".said").textContent = said;
    find(".wide").hidden = find("details").hidden = !this.#replies.length;
    find(".more").hidden = !this.#next;
    if (!this.#replies.length) return;
    find("thead tr").replaceChildren(...COLUMNS.map((name) => head(say(`evidence.${name}`))));
    find("tbody").replaceChildren(...this.#replies.map(row));
  }
}

function row(reply) {
  const answered = reply.outcome === "answered";
  const line = make("tr", answered ? "" : "refused");
  const arrived = make("th", "", moment(reply.arrived_ms, "medium"));
  arrived.scope = "row";
  arrived.append(make("small", "", reply.uuid ?? ""));
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
