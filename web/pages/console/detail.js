/* One character of a sheet, large: what it was read as, what else it could be, and what it really is. */

import { percent, say } from "./language.js";
import { make } from "./make.js";
import { sheet } from "./picture.js";

export class Detail {
  element = make("form", "detail");
  #corrections;
  #corrected;
  #spot;

  /** `corrected` is called when somebody knew better. */
  constructor(corrections, corrected) {
    this.#corrections = corrections;
    this.#corrected = corrected;
    this.element.hidden = true;
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      const word = new FormData(this.element).get("word").trim();
      if (word) this.#save(word);
    });
  }

  open(spot) {
    this.#spot = spot;
    const { character, picture } = spot;
    const read = make("p", "read", this.#corrections.of(character) ?? character.text ?? "〓");
    read.lang = "zh-Hant-TW";
    this.element.replaceChildren(read, make("p", "", this.#told(character)));
    this.element.hidden = false;
    // Without its picture there is nothing to learn from.
    if (!picture) return;
    this.element.prepend(cut(spot));
    this.element.append(this.#choices(character), this.#field());
  }

  focus() {
    this.element.querySelector("button, input")?.focus();
  }

  #told({ read, confidence, detection }) {
    return read ? say("detail.read", percent(confidence)) : say("detail.unread", percent(detection));
  }

  #choices({ text, alternatives = [] }) {
    const choices = make("div", "choices");
    const offered = [...(text ? [text] : []), ...alternatives.map((other) => other.text), "isnull"];
    for (const word of offered) {
      const choice = make("button", "", word === "isnull" ? say("detail.none") : word);
      choice.type = "button";
      choice.addEventListener("click", () => this.#save(word));
      choices.append(choice);
    }
    return choices;
  }

  #field() {
    const label = make("label", "other-word", say("detail.other"));
    const input = make("input", "");
    Object.assign(input, { name: "word", autocomplete: "off", maxLength: 8, lang: "zh-Hant-TW" });
    const save = make("button", "primary", say("detail.save"));
    label.append(input);
    const field = make("div", "field");
    field.append(label, save);
    return field;
  }

  #save(word) {
    this.#corrections.note(this.#spot.character, word, cut(this.#spot));
    this.#corrected();
    this.open(this.#spot);
    this.#spot.letter.focus();
  }
}

/** The character with some paper around, as the service cuts it out. */
function cut({ character, page, picture }) {
  const scale = picture.width / page.width;
  const [across, down] = [0, 1].map((axis) => character.polygon.map((corner) => corner[axis] * scale));
  const [x, y] = [Math.max(0, Math.min(...across)), Math.max(0, Math.min(...down))];
  const width = Math.min(picture.width, Math.max(...across)) - x;
  const height = Math.min(picture.height, Math.max(...down)) - y;
  const { canvas, context } = sheet(width, height);
  context.drawImage(picture, x, y, width, height, 0, 0, canvas.width, canvas.height);
  canvas.ariaHidden = "true";
  return canvas;
}
