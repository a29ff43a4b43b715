/* One job of the list: what it is, how far, and what can be done about it. */

import { count, moment, say } from "./language.js";
import { make } from "./make.js";
import { Problem, cancel } from "./service.js";

export class Job {
  element = make("li", "job");
  #told = null;
  #name = make("h3", "");
  #state = make("p", "badge");
  #bar = document.createElement("progress");
  #counts = make("p", "counts");
  #problem = make("p", "wrong");
  #cancel = make("button", "");
  #result = make("a", "button");

  /** `fail` is told of what goes wrong. */
  constructor(fail) {
    this.#cancel.type = "button";
    this.#cancel.addEventListener("click", async () => {
      try {
        this.know(await cancel(this.#told.id));
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        fail(error);
      }
    });
    const head = make("div", "head");
    head.append(this.#name, this.#state);
    const tools = make("div", "tools");
    tools.append(this.#result, this.#cancel);
    this.element.append(head, this.#bar, this.#counts, this.#problem, tools);
  }

  know(told) {
    this.#told = told;
    this.render();
  }

  render() {
    const { id, algorithm, state, counts, progress, created_at, ended_at, problem, result } = this.#told;
    const read = counts.succeeded + counts.failed;
    this.element.dataset.state = state;
    this.#name.textContent = id;
    this.#state.textContent = say(`job.${state}`);
    this.#bar.hidden = ended_at !== null;
    this.#bar.setAttribute("aria-label", say("job.progress", id));
    // Without a value it moves to and fro: how many there are is not known yet.
    if (counts.total === null) this.#bar.removeAttribute("value");
    else this.#bar.value = progress;
    const facts = [algorithm, moment(created_at)];
    facts.push(say("job.counts", count(read), counts.total === null ? null : count(counts.total)));
    if (counts.failed) facts.push(say("job.failed-items", count(counts.failed)));
    this.#counts.textContent = facts.join(" · ");
    this.#problem.hidden = !problem;
    this.#problem.textContent = problem ? problem.detail : "";
    this.#cancel.textContent = say("job.cancel");
    this.#cancel.setAttribute("aria-label", say("job.cancel-one", id));
    this.#cancel.hidden = ended_at !== null || state === "cancelling";
    this.#result.textContent = say("job.download");
    this.#result.setAttribute("aria-label", say("job.download-one", id));
    this.#result.href = result;
    this.#result.download = `${id}.jsonl`;
    this.#result.hidden = read === 0;
  }
}
