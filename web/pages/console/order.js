/* Ordering a job: a file goes in the request itself, or in parts where it is too large for that. */

import { Problem, call, newUuid } from "./service.js";

// Of the lane's six million bytes.
const INLINE_BYTES = 5_900_000;
const KINDS = [
  [/\.(zip|tar|tgz|tar\.gz)$/i, "zip"],
  [/\.csv$/i, "csv"],
  [/\.pdf$/i, "pdf"],
];

/** Have a file read as a job; `progress` is told which share of it has been sent. */
export async function order(file, algorithm, progress) {
  const input = file.size > INLINE_BYTES ? await uploaded(file, progress) : await inline(file);
  const body = { input, ...(algorithm && { algorithm }) };
  await call(`/jobs/${named(file)}`, sent("PUT", body));
}

/** What people find it by, as far as an id can say that. */
function named(file) {
  const stem = file.name.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9_-]+/g, "-");
  const trimmed = stem.replace(/^[^A-Za-z0-9]+/, "").slice(0, 60).replace(/-+$/, "");
  return [trimmed, newUuid().slice(0, 8)].filter(Boolean).join("-");
}

async function inline(file) {
  const kind = KINDS.find(([ending]) => ending.test(file.name))?.[1] ?? "image";
  const reader = new FileReader();
  await new Promise((resolve, reject) => {
    reader.onload = resolve;
    // Moved or changed since it was chosen.
    reader.onerror = () => reject(new Problem({ type: "file-gone" }));
    reader.readAsDataURL(file);
  });
  const base64 = reader.result.slice(reader.result.indexOf(",") + 1);
  return kind === "image" ? { image: base64, id: file.name } : { [kind]: base64 };
}

async function uploaded(file, progress) {
  // Browsers compute digests on encrypted pages alone.
  if (!globalThis.crypto?.subtle) throw new Problem({ type: "too-large-here" });
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const begun = sent("POST", { bytes: file.size });
  // The same file again goes on where it was left.
  begun.headers["Idempotency-Key"] = sha256;
  const { body: ticket } = await call("/uploads", begun);
  for (const { url, offset, bytes, arrived } of ticket.parts) {
    if (!arrived) await call(url, { method: "PUT", body: file.slice(offset, offset + bytes) });
    progress((offset + bytes) / file.size);
  }
  await call(ticket.completion, sent("POST", { sha256 }));
  return { upload: ticket.id };
}

const sent = (method, body) => ({
  method,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});
