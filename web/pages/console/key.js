/* The key of an account: asked for where the service wants one, kept until the tab is closed. */

const KEPT = "punctual.key";

const form = document.getElementById("key");
const field = form.querySelector("input");

// Storage may be forbidden; then the key lasts as long as the page.
let held = "";
try {
  held = sessionStorage.getItem(KEPT) ?? "";
} catch {
  held = "";
}
form.hidden = !held;

function hold(key) {
  held = key;
  try {
    sessionStorage.setItem(KEPT, key);
  } catch {
    // It lasts as long as the page.
  }
}

/** Whether there is a key. */
export const hasKey = () => held !== "";

/** Ask as who holds the key. One that is refused is not sent again: wrong keys are counted. */
export async function fetchWithKey(path, options = {}) {
  const key = held;
  const whose = key ? { Authorization: `Bearer ${key}` } : {};
  const response = await fetch(path, { ...options, headers: { ...options.headers, ...whose } });
  if (response.status === 401) {
    form.hidden = false;
    if (held === key) hold("");
  }
  return response;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  hold(field.value.trim());
  field.value = "";
});
