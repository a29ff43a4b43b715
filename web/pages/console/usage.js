/* What accounts have used this month, and what that would cost elsewhere. */

import { count, say } from "./language.js";
import { head, make } from "./make.js";

const COLUMNS = ["requests", "units", "computed", "joined", "kept", "refused", "compute_seconds"];
const dollars = (value) => `USD ${value.toFixed(value < 1 ? 4 : 2)}`;

export class Usage {
  #section;
  #known = null;

  constructor(section) {
    this.#section = section;
  }

  /** What `GET /usage` told. */
  know(known) {
    this.#known = known;
    this.render();
  }

  render() {
    const { month = "", usage = [], costs = {} } = this.#known ?? {};
    this.#section.hidden = !usage.length;
    if (!usage.length) return;
    const find = (name) => this.#section.querySelector(name);
    find(".month").textContent = month;
    find("thead tr").replaceChildren(...["account", ...COLUMNS].map((name) => head(say(`usage.${name}`))));
    find("tbody").replaceChildren(
      ...usage.map((row) => {
        const line = make("tr", "");
        const who = make("th", "", row.account);
        who.scope = "row";
        who.append(make("small", "", row.algorithm));
        line.append(who, ...COLUMNS.map((name) => make("td", "number", count(row[name]))));
        return line;
      }),
    );
    find(".costs").textContent = say("usage.costs", dollars(costs.serverless), dollars(costs.machine));
  }
}
