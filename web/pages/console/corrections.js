/* What somebody knows better, as training data: the contest's CSV, which `python -m model finetune` takes. */

import { base64, file } from "./picture.js";

const HEAD = "word,image_64_encoded";
const NAME = "corrections.csv";

export class Corrections {
  #words = new Map();

  get size() {
    return this.#words.size;
  }

  clear() {
    this.#words.clear();
  }

  /** The word for a character, if there is one. */
  of(character) {
    return this.#words.get(character)?.word;
  }

  /** `cut`: the canvas with its picture. */
  note(character, word, cut) {
    this.#words.set(character, { word, cut });
  }

  /** Hand them over as a file. */
  async download() {
    const rows = [...this.#words.values()].map(async ({ word, cut }) => {
      const image = await base64(await file(cut, "image/png"));
      return `"${word.replaceAll('"', '""')}",${image}`;
    });
    const text = [HEAD, ...(await Promise.all(rows)), ""].join("\r\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = NAME;
    link.click();
    URL.revokeObjectURL(link.href);
  }
}
