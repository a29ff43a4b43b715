/* Pictures on their way to the service. */

const MAX_BYTES = 6_000_000;
const SERVED = ["image/jpeg", "image/png", "image/bmp", "image/gif", "image/tiff", "image/webp"];
// Readers of sheets take as many pixels, readers of characters the fewer.
const SIZES = [40_000_000, 4_000_000];
// What is cut out small is sent larger: the networks' own pictures have about this side.
const PART_PIXELS = 96;

/** A canvas of that size, white, and its context. */
export function sheet(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(width));
  canvas.height = Math.max(1, Math.floor(height));
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  return { canvas, context };
}

/** The canvas as a file. */
export function file(canvas, type, quality) {
  return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
}

/** The file's bytes in base64. */
export function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** What a file shows; null: this browser cannot say. */
export async function shown(chosen) {
  try {
    return await createImageBitmap(chosen);
  } catch {
    return null;
  }
}

/**
 * The ways to send a file, `{blob, note}`: the next one is for when the last was too large to be read.
 * The note is the word for what was done to it.
 *
 * Bytes that the service may read as they are stay as they are. So do those of what no browser can
 * draw: the service knows kinds that a browser does not, and says of the others what is wrong.
 */
export async function* ways(chosen, bitmap) {
  const known = SERVED.includes(chosen.type) && chosen.size <= MAX_BYTES;
  if (known || !bitmap) yield { blob: chosen, note: null };
  if (!bitmap) return;
  const pixels = bitmap.width * bitmap.height;
  let sent = known ? pixels : Infinity;
  for (const size of SIZES.map((most) => Math.min(most, pixels))) {
    if (size >= sent) continue;
    sent = size;
    const scale = Math.sqrt(size / pixels);
    const { canvas, context } = sheet(bitmap.width * scale, bitmap.height * scale);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const blob = await file(canvas, "image/jpeg", 0.92);
    yield { blob, note: size < pixels ? "picture.smaller" : "picture.changed" };
  }
}

/** A part of a picture, `{x, y, width, height}` in its pixels, as a file. */
export async function part(bitmap, { x, y, width, height }) {
  const scale = Math.min(
    Math.max(1, PART_PIXELS / Math.max(width, height)),
    Math.sqrt(SIZES.at(-1) / (width * height)),
  );
  const { canvas, context } = sheet(width * scale, height * scale);
  context.drawImage(bitmap, x, y, width, height, 0, 0, canvas.width, canvas.height);
  return file(canvas, "image/png");
}
