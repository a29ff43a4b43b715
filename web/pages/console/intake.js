/* The ways in which a picture comes: chosen, photographed, pasted, dropped anywhere. */

const pictures = (files) => [...files].filter((file) => file.type.startsWith("image/"));

/** Call `take` with each file that comes; `veil` is shown while one is held over the page. */
export function intake(take, inputs, veil, { pasted = true } = {}) {
  for (const input of inputs) {
    input.addEventListener("change", () => {
      if (input.files.length) take(input.files[0]);
      // The same file may be chosen again.
      input.value = "";
    });
  }

  if (pasted) {
    document.addEventListener("paste", (event) => {
      const [picture] = pictures(event.clipboardData?.files ?? []);
      if (picture) {
        event.preventDefault();
        take(picture);
      }
    });
  }

  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  let leaving = 0;
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    veil.hidden = false;
    // Crossing from element to element leaves each of them; only silence means that it is gone.
    clearTimeout(leaving);
    leaving = setTimeout(() => (veil.hidden = true), 600);
  });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    // Or the browser would open it in the place of this page.
    event.preventDefault();
    veil.hidden = true;
    const files = event.dataTransfer.files;
    // What the system knows no kind of is taken as well: the service looks at the bytes.
    const [dropped] = [...pictures(files), ...files];
    if (dropped) take(dropped);
  });
}
