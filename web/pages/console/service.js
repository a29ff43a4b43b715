/* The public API, as any caller uses it. */

import { fetchWithKey } from "./key.js";

// A person waits longer than a program; who waits longer stands behind those who cannot.
const PREFER = "wait=10, return=representation";

/** What the service, or the network, said instead of an answer. */
export class Problem extends Error {
  constructor({ type = "", title = "", detail = "" }, retryAfter = null) {
    super(title);
    this.type = type.replace("urn:punctual:problem:", "");
    this.title = title;
    this.detail = detail;
    this.retryAfter = retryAfter;
  }
}

/** Ask for something; `{body, headers}` of the reply, or a `Problem`. */
export async function call(path, options) {
  let response;
  try {
    response = await fetchWithKey(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ type: "unreachable" }, 1);
  }
  let body = {};
  if (response.status === 204) return { body, headers: response.headers };
  try {
    body = await response.json();
  } catch {
    // Whoever stands between did not speak the service's language.
    if (response.ok) throw new Problem({ type: "unreachable" }, 1);
  }
  if (response.ok) return { body, headers: response.headers };
  const seconds = Number(response.headers.get("Retry-After"));
  const known = body.title ? body : { type: "internal" };
  throw new Problem(known, response.status >= 500 || seconds ? seconds || 1 : null);
}

/** The cards of what is served, and the name of the default one. */
export async function algorithms() {
  return (await call("/algorithms", { cache: "no-store" })).body;
}

/** What operators look at. */
export async function overview() {
  return (await call("/overview", { cache: "no-store" })).body;
}

/** The latest jobs. */
export async function jobs() {
  return (await call("/jobs?limit=50", { cache: "no-store" })).body.jobs;
}

/** Have a job end; it as it is then. */
export async function cancel(id) {
  return (await call(`/jobs/${encodeURIComponent(id)}`, { method: "DELETE" })).body;
}

/** What accounts have used this month. */
export async function usage() {
  return (await call("/usage", { cache: "no-store" })).body;
}

/** What was replied to a uuid, the oldest reply first. */
export async function evidenceOf(uuid) {
  return (await call(`/evidence/${encodeURIComponent(uuid)}`, { cache: "no-store" })).body.evidence;
}

/** What was replied, the latest first: `{evidence, next}`, of which `next` is the cursor of those before. */
export async function searchEvidence(asked) {
  return (await call(`/evidence?${new URLSearchParams(asked)}`, { cache: "no-store" })).body;
}

/** The picture of a card, as the address of an image that needs no key. */
export async function pictureOf(algorithm) {
  const response = await fetchWithKey(`/algorithms/${encodeURIComponent(algorithm)}/image`);
  return response.ok ? URL.createObjectURL(await response.blob()) : "";
}

/** A new name for a request; `crypto.randomUUID` exists on encrypted pages alone. */
export function newUuid() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The path at which an algorithm is asked. */
export const pathOf = (algorithm) => `/inference/${encodeURIComponent(algorithm)}`;

/** Ask: `{algorithm, uuid, image}`, the image in base64. */
export async function infer({ algorithm, uuid, image }, signal) {
  const began = performance.now();
  const { body, headers } = await call(pathOf(algorithm), {
    method: "POST",
    headers: { "Content-Type": "application/json", Prefer: PREFER },
    body: JSON.stringify({
      esun_uuid: uuid,
      esun_timestamp: Math.floor(Date.now() / 1000),
      image,
    }),
    signal,
  });
  const timing = headers.get("Server-Timing") ?? "";
  const spent = (name) => Number(timing.match(`${name};dur=([0-9.]+)`)?.[1] ?? NaN);
  const [members, ended] = (headers.get("Punctual-Members") ?? "").split(";");
  const [asked, of] = members.split("/").map(Number);
  return {
    uuid,
    answer: body.answer,
    confidence: body.confidence,
    alternatives: body.alternatives ?? [],
    // Of a sheet.
    pages: body.pages,
    source: headers.get("Punctual-Source"),
    bundle: headers.get("Punctual-Bundle"),
    members: { asked, of, ended: ended ?? "partial" },
    queueMs: spent("queue"),
    computeMs: spent("compute"),
    wayMs: performance.now() - began,
  };
}
