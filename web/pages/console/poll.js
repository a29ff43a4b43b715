/* Something that is done once a second, while somebody looks. */

const EVERY_MS = 1000;

/** Do it at once and again a second after it ended; not while the page is hidden. */
export function everySecond(task) {
  let timer = 0;
  let busy = false;
  const turn = async () => {
    if (busy || document.hidden) return;
    busy = true;
    try {
      await task();
    } finally {
      busy = false;
      clearTimeout(timer);
      timer = setTimeout(turn, EVERY_MS);
    }
  };
  document.addEventListener("visibilitychange", turn);
  turn();
}
