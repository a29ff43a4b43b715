/* Copying, on encrypted pages and on others, where the browser's own way is closed. */

import { say } from "./language.js";

const TOLD_MS = 1600;

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Let a button copy what `text` returns, and say so for a moment. */
export function copyOnClick(button, text) {
  button.addEventListener("click", async () => {
    await copy(text());
    button.focus();
    button.textContent = say("copied");
    setTimeout(() => (button.textContent = say("copy")), TOLD_MS);
  });
}
