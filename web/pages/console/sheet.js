/* A sheet: its pages with a box around every character, and beside them the text. A click on either marks both. */

import { Corrections } from "./corrections.js";
import { Detail } from "./detail.js";
import { say } from "./language.js";
import { draw, make } from "./make.js";

// Enough to cut characters out of a page of 300 dpi; more would only fill a telephone's memory.
const LONGEST_PIXELS = 4096;

export class Sheet {
  #root;
  #corrections = new Corrections();
  #detail;
  #pages = [];
  #picture = null;
  #spots = [];
  #current = null;

  constructor(root) {
    this.#root = root;
    this.#detail = new Detail(this.#corrections, () => this.#refresh());
    root.addEventListener("keydown", (event) => this.#step(event));
  }

  /** `pages` as the service told them; `bitmap` is the first one's picture, null where it cannot be shown. */
  show(pages, bitmap) {
    this.#pages = pages;
    this.#picture = bitmap && copy(bitmap);
    this.#corrections.clear();
    this.#current = null;
    this.render();
  }

  hide() {
    this.#pages = [];
    this.render();
  }

  render() {
    this.#root.hidden = !this.#pages.length;
    if (this.#root.hidden) return this.#root.replaceChildren();
    this.#spots = [];
    this.#title = make("h2", "");
    this.#download = make("button", "");
    this.#download.type = "button";
    this.#download.addEventListener("click", () => this.#corrections.download());
    const head = make("div", "sheet-head");
    head.append(this.#title, this.#download);
    this.#root.replaceChildren(head, ...this.#pages.map((page, number) => this.#page(page, number)), this.#detail.element);
    this.#refresh();
    if (this.#current !== null) this.#mark(this.#current, { focus: false });
  }

  #title;
  #download;

  #page(page, number) {
    const picture = number === 0 ? this.#picture : null;
    const element = make("div", "page");
    if (page.problem) {
      element.append(make("p", "", page.problem));
      return element;
    }
    const scan = make("div", "scan");
    scan.style.aspectRatio = `${page.width} / ${page.height}`;
    const boxes = draw("svg", { viewBox: `0 0 ${page.width} ${page.height}`, role: "group", "aria-label": say("sheet.boxes", page.page) });
    if (picture) scan.append(picture);
    scan.append(boxes);
    const text = make("ol", "text");
    text.setAttribute("aria-label", say("sheet.text", page.page));
    for (const line of page.lines) {
      const item = make("li", line.direction);
      item.lang = "zh-Hant-TW";
      for (const character of line.characters) {
        const spot = this.#spot(character, page, picture);
        boxes.append(spot.box);
        item.append(spot.letter);
      }
      text.append(item);
    }
    element.append(scan, text);
    return element;
  }

  #spot(character, page, picture) {
    const [x, y, width, height] = character.box;
    const number = this.#spots.length;
    const box = draw("rect", { x, y, width, height, rx: width / 12, role: "button", tabindex: number ? "-1" : "0" });
    const letter = make("button", "letter");
    letter.type = "button";
    letter.tabIndex = number ? -1 : 0;
    for (const element of [box, letter]) {
      element.addEventListener("click", () => this.#mark(number, { from: element }));
    }
    const spot = { character, page, picture, box, letter };
    this.#spots.push(spot);
    return spot;
  }

  /** What is said of each character, as it was read or corrected. */
  #refresh() {
    for (const { character, box, letter } of this.#spots) {
      const corrected = this.#corrections.of(character);
      const text = corrected ?? character.text ?? "〓";
      const state = corrected ? "corrected" : !character.read ? "unread" : character.review ? "doubtful" : "sure";
      letter.textContent = text === "isnull" ? "〓" : text;
      for (const element of [box, letter]) {
        element.dataset.state = state;
        element.setAttribute("aria-label", `${letter.textContent}, ${say(`sheet.${state}`)}`);
      }
    }
    const doubtful = this.#spots.filter(({ letter }) => letter.dataset.state === "doubtful").length;
    this.#title.textContent = say("sheet.title", this.#spots.length, doubtful);
    this.#download.textContent = say("sheet.download", this.#corrections.size);
    this.#download.hidden = !this.#corrections.size;
  }

  /** Mark a character on both sides, and open it. */
  #mark(number, { from = null, focus = true } = {}) {
    for (const [place, { box, letter }] of this.#spots.entries()) {
      for (const element of [box, letter]) {
        element.classList.toggle("current", place === number);
        element.setAttribute("tabindex", place === number ? "0" : "-1");
      }
    }
    this.#current = number;
    const spot = this.#spots[number];
    this.#detail.open(spot);
    for (const element of [spot.box, spot.letter]) {
      if (element !== from) element.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    if (focus) (from ?? spot.letter).focus({ preventScroll: true });
  }

  /** Arrows lead from character to character. */
  #step(event) {
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = this.#spots.findIndex(({ box, letter }) => event.target === box || event.target === letter);
    if (at < 0) return;
    const key = this.#spots[at].box === event.target ? "box" : "letter";
    if (way && this.#spots[at + way]) {
      event.preventDefault();
      this.#mark(at + way, { from: this.#spots[at + way][key] });
    } else if (event.key === "Enter" || (event.key === " " && key === "box")) {
      event.preventDefault();
      this.#mark(at, { from: event.target });
      this.#detail.focus();
    }
  }
}

function copy(bitmap) {
  const scale = Math.min(1, LONGEST_PIXELS / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  canvas.ariaHidden = "true";
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}
