/* What is served: the cards to choose from, and how the chosen one is right now. */

import { hasKey } from "./key.js";
import { say } from "./language.js";
import { make } from "./make.js";
import { pictureOf } from "./service.js";

export class Served {
  #cards;
  #state;
  #known = null;
  #lost = null;
  #name = null;

  /** `cards`: the fieldset that shows them; `state`: the line that says how things are. */
  constructor(cards, state) {
    this.#cards = cards;
    this.#state = state;
    cards.addEventListener("change", (event) => {
      this.#name = event.target.value;
      this.render();
    });
  }

  /** The name of the chosen algorithm, else of the default one; null: nothing is served. */
  get chosen() {
    return this.#card?.name ?? null;
  }

  /** The kinds of file that it takes, as a file input has them. */
  get accepts() {
    return this.#card?.input_mimes.join() || "image/*";
  }

  /** What `GET /algorithms` told. */
  know(known) {
    this.#known = known;
    this.#lost = null;
    this.render();
  }

  /** It told nothing, for this reason. */
  lose(reason) {
    this.#lost = reason;
    this.render();
  }

  render() {
    const { kind, text } = this.#now();
    this.#state.dataset.kind = kind;
    // Set only when it differs: a screen reader says what is set.
    if (this.#state.textContent !== text) this.#state.textContent = text;
    if (this.#known) this.#renderCards(this.#known.algorithms);
  }

  get #card() {
    const cards = this.#known?.algorithms ?? [];
    const named = (name) => cards.find((card) => card.name === name);
    return named(this.#name) ?? named(this.#known?.default) ?? cards[0];
  }

  #now() {
    const card = this.#card;
    if (this.#lost !== null) return { kind: "lost", text: this.#lost };
    if (this.#known === null) return { kind: "asking", text: say("state.asking") };
    if (!card) return { kind: "absent", text: say("state.none") };
    const state = say(`state.${card.state}`, card.workers, card.queue_length);
    return { kind: card.state, text: `${card.title} · ${state}` };
  }

  #renderCards(cards) {
    const shown = [...this.#cards.querySelectorAll("input")].map((input) => input.value);
    if (shown.join() !== cards.map((card) => card.name).join()) {
      this.#cards.querySelector("div").replaceChildren(...cards.map(choice));
    }
    // One is no choice.
    this.#cards.hidden = cards.length < 2;
    for (const input of this.#cards.querySelectorAll("input")) {
      input.checked = input.value === this.chosen;
      const card = cards.find(({ name }) => name === input.value);
      input.parentElement.dataset.kind = card.state;
    }
  }
}

function choice(card) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "algorithm", value: card.name });
  label.append(input);
  if (card.image_key) {
    const picture = document.createElement("img");
    picture.alt = "";
    if (hasKey()) pictureOf(card.name).then((address) => (picture.src = address));
    else picture.src = `/algorithms/${card.name}/image`;
    label.append(picture);
  }
  for (const [tag, text] of [["strong", card.title], ["span", card.subtitle], ["small", card.content]]) {
    if (!text) continue;
    label.append(make(tag, "", text));
  }
  return label;
}
