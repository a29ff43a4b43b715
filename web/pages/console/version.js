/* One version of an algorithm: its workers, what waits for them, what they have done. */

import { Counter, Course } from "./history.js";
import { bytes, count, percent, say } from "./language.js";
import { draw, make } from "./make.js";

const WIDE = 240;
const HIGH = 44;

export class Version {
  #told = null;
  #executions = new Counter();
  #answers = new Course();
  #waiting = new Course();
  element = make("section", "version");

  know(told, now) {
    this.#told = told;
    this.#executions.know(told.counts.executions, now);
    this.#answers.know(this.#executions.rate, now);
    this.#waiting.know(told.waiting.line, now);
  }

  render(defaultName) {
    const told = this.#told;
    this.element.dataset.state = told.state;
    this.element.replaceChildren(
      this.#title(defaultName),
      this.#figure("version.answers", this.#executions.rate, this.#answers, say("version.capacity", count(told.images_per_s))),
      this.#figure("version.waiting", told.waiting.line, this.#waiting, ""),
      this.#members(),
      this.#facts(),
    );
  }

  #title(defaultName) {
    const { version, state, ready, workers } = this.#told;
    const title = make("h2", "state", version);
    title.dataset.kind = ready ? "ready" : workers ? "loading" : "absent";
    title.append(make("span", "badge", say(`version.${state}`)));
    if (version.startsWith(`${defaultName}/`) && state !== "beside") {
      title.append(make("span", "badge plain", say("operate.default")));
    }
    return title;
  }

  #figure(name, value, course, note) {
    const figure = make("div", "figure");
    const line = draw("svg", { viewBox: `0 -2 ${WIDE} ${HIGH + 4}`, "aria-hidden": "true", preserveAspectRatio: "none" });
    line.append(draw("polyline", { points: course.points(WIDE, HIGH) }));
    figure.append(make("h3", "", say(name)), make("strong", "", count(value)), make("small", "", note), line);
    return figure;
  }

  #members() {
    const figure = make("div", "figure members");
    figure.append(make("h3", "", say("version.members")));
    // Those of what could not be read.
    const asked = Object.entries(this.#told.members).filter(([members]) => members !== "0");
    const all = asked.reduce((sum, [, times]) => sum + times, 0);
    if (!all) {
      figure.append(make("small", "", say("version.members.none")));
      return figure;
    }
    const bar = make("div", "stack");
    const list = make("ol", "");
    for (const [members, times] of asked) {
      const share = make("i", "");
      share.style.setProperty("--share", String(times / all));
      bar.append(share);
      list.append(make("li", "", say("version.share", members, percent(times / all), times)));
    }
    figure.append(bar, list);
    return figure;
  }

  #facts() {
    const { workers, waiting, counts, resident_bytes: memory, shadow } = this.#told;
    const list = make("dl", "");
    const facts = [
      ["workers", count(workers)],
      ["memory", bytes(memory)],
      ["computed", count(counts.executions)],
      ["partial", count(waiting.partial)],
      ["express", count(counts.express)],
      ["completions", count(counts.completions)],
      ["late", count(waiting.late)],
      ["dropped", count(counts.dropped)],
      ["takeovers", count(counts.takeovers)],
    ];
    if (shadow.read) {
      facts.push(["shadow", count(shadow.read)], ["alike", percent(shadow.alike / shadow.read)]);
    }
    for (const [name, text] of facts) {
      const fact = make("div", "");
      fact.append(make("dt", "", say(`version.${name}`)), make("dd", "", text));
      list.append(fact);
    }
    return list;
  }
}
