/* The paper: strokes that somebody writes, or a picture of which a part can be framed. */

import { part, sheet, file } from "./picture.js";

const PEN = "../assets/signature_pad/dist/signature_pad.min.js";

// Of the paper's side. A brush rather than a pen: the pictures that the networks know have such strokes.
const THIN = 0.02;
const THICK = 0.028;
// Around what was written, of its larger side.
const MARGIN = 0.06;
// A dash or a dot is not blown up to fill the picture.
const FLATTEST = 0.5;
const WRITTEN_PIXELS = 192;
const HINT_PIXELS = 20;
// A frame that is smaller, in CSS pixels, was a slip of the hand.
const SMALLEST_FRAME = 8;

/** Fires `change` when there is something else on it, and `frame` when a part was framed. */
export class Paper extends EventTarget {
  #canvas;
  #frame;
  #pad = null;
  #side = 0;
  #bitmap = null;
  #framed = null;

  constructor(canvas, frame) {
    super();
    this.#canvas = canvas;
    this.#frame = frame;
    this.#listenForFrames();
    // Its own size, not the window's: a phone's window changes with every scroll.
    new ResizeObserver(() => this.#fit()).observe(canvas);
  }

  /** Take the pen in hand; false where the set-up could not fetch one. */
  async takePen() {
    let SignaturePad;
    try {
      ({ default: SignaturePad } = await import(PEN));
    } catch {
      return false;
    }
    // Throttled, the end of a hasty stroke would run into the next one.
    this.#pad = new SignaturePad(this.#canvas, {
      penColor: getComputedStyle(this.#canvas).color,
      throttle: 0,
    });
    this.#pad.addEventListener("beginStroke", () => this.#changed());
    this.#pad.addEventListener("endStroke", () => this.#changed());
    this.#side = 0;
    this.#fit();
    return true;
  }

  get #strokes() {
    return this.#bitmap ? [] : (this.#pad?.toData() ?? []);
  }

  /** Whether a part of a picture is framed. */
  get isFramed() {
    return this.#framed !== null;
  }

  get holdsPicture() {
    return this.#bitmap !== null;
  }

  get isEmpty() {
    return !this.holdsPicture && this.#strokes.length === 0;
  }

  undo() {
    if (this.holdsPicture) return;
    this.#pad?.fromData(this.#strokes.slice(0, -1));
    this.#changed();
  }

  clear() {
    this.#bitmap = null;
    this.#framed = null;
    this.#pad?.clear();
    this.#pad?.on();
    this.#draw();
    this.#changed();
  }

  /** Lay a picture on it, in place of what was there. */
  show(bitmap) {
    this.clear();
    this.#pad?.off();
    this.#bitmap = bitmap;
    this.#draw();
    this.#changed();
  }

  /** What is on it as a file: what was written with a margin, or the part of the picture in the frame. */
  async image() {
    if (this.holdsPicture) return part(this.#bitmap, this.#framed);
    const points = this.#strokes.flatMap(({ points }) => points);
    const ink = (this.#side * THICK) / 2;
    const [left, right] = this.#reach(points.map(({ x }) => x), ink);
    const [top, bottom] = this.#reach(points.map(({ y }) => y), ink);
    const long = Math.max(right - left, bottom - top);
    const width = Math.max(right - left, long * FLATTEST) + 2 * MARGIN * long;
    const height = Math.max(bottom - top, long * FLATTEST) + 2 * MARGIN * long;
    const scale = WRITTEN_PIXELS / Math.max(width, height);
    const { canvas, context } = sheet(width * scale, height * scale);
    const x = (left + right - width) / 2;
    const y = (top + bottom - height) / 2;
    const dots = this.#canvas.width / this.#side;
    context.drawImage(
      this.#canvas,
      ...[x, y, width, height].map((length) => length * dots),
      ...[0, 0, canvas.width, canvas.height],
    );
    return file(canvas, "image/png");
  }

  #reach(places, ink) {
    return [Math.max(0, Math.min(...places) - ink), Math.min(this.#side, Math.max(...places) + ink)];
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Let the canvas have as many dots as the screen, and what was written grow with the paper. */
  #fit() {
    const side = this.#canvas.clientWidth;
    if (!side || side === this.#side) return;
    const strokes = this.#strokes;
    const grown = this.#side ? side / this.#side : 1;
    this.#side = side;
    const dots = Math.max(1, window.devicePixelRatio);
    this.#canvas.width = this.#canvas.height = Math.round(side * dots);
    this.#canvas.getContext("2d").scale(dots, dots);
    if (this.#pad) {
      Object.assign(this.#pad, {
        minWidth: side * THIN,
        maxWidth: side * THICK,
        dotSize: side * THICK * 0.7,
        minDistance: side / 100,
      });
      this.#pad.fromData(strokes.map((stroke) => grow(stroke, grown)));
    }
    this.#draw();
  }

  #draw() {
    this.#frame.hidden = true;
    if (!this.#bitmap) return;
    const context = this.#canvas.getContext("2d");
    const { x, y, width, height } = this.#place();
    context.clearRect(0, 0, this.#side, this.#side);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#bitmap, x, y, width, height);
    if (this.#framed) this.#showFrame();
  }

  /** Where the picture lies on the paper, in CSS pixels, and how much larger it is than itself. */
  #place() {
    const { width, height } = this.#bitmap;
    // Below it stands what can be done with it.
    const room = this.#side - 2 * HINT_PIXELS;
    const scale = room / Math.max(width, height);
    return {
      x: (this.#side - width * scale) / 2,
      y: HINT_PIXELS / 2 + (room - height * scale) / 2,
      width: width * scale,
      height: height * scale,
      scale,
    };
  }

  #listenForFrames() {
    let from = null;
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.holdsPicture || !event.isPrimary) return;
      canvas.setPointerCapture(event.pointerId);
      from = { x: event.offsetX, y: event.offsetY };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!from) return;
      this.#framed = this.#between(from, { x: event.offsetX, y: event.offsetY });
      this.#draw();
    });
    canvas.addEventListener("pointerup", () => {
      if (!from) return;
      from = null;
      const { scale } = this.#place();
      const framed = this.#framed;
      if (framed && Math.min(framed.width, framed.height) * scale >= SMALLEST_FRAME) {
        this.dispatchEvent(new Event("frame"));
      } else {
        this.#framed = null;
        this.#draw();
      }
    });
    canvas.addEventListener("pointercancel", () => (from = null));
  }

  /** The part of the picture between two places on the paper, in the picture's pixels. */
  #between(one, other) {
    const { x, y, scale } = this.#place();
    const along = (start, a, b, most) => {
      const bounded = [a, b].map((place) => Math.min(most, Math.max(0, (place - start) / scale)));
      return [Math.min(...bounded), Math.abs(bounded[0] - bounded[1])];
    };
    const [left, width] = along(x, one.x, other.x, this.#bitmap.width);
    const [top, height] = along(y, one.y, other.y, this.#bitmap.height);
    return { x: left, y: top, width, height };
  }

  #showFrame() {
    const { x, y, scale } = this.#place();
    const { x: left, y: top, width, height } = this.#framed;
    this.#frame.hidden = false;
    Object.assign(this.#frame.style, {
      left: `${x + left * scale}px`,
      top: `${y + top * scale}px`,
      width: `${width * scale}px`,
      height: `${height * scale}px`,
    });
  }
}

function grow(stroke, times) {
  return {
    ...stroke,
    minWidth: stroke.minWidth * times,
    maxWidth: stroke.maxWidth * times,
    dotSize: stroke.dotSize * times,
    points: stroke.points.map((point) => ({ ...point, x: point.x * times, y: point.y * times })),
  };
}
