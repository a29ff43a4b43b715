/* The command line that asks what this page asked. */

import { hasKey } from "./key.js";
import { pathOf } from "./service.js";

// A shell takes 128 KiB in one argument.
const MOST_CHARACTERS = 100_000;
const SHOWN_CHARACTERS = 24;

/** For a POSIX shell: nothing in `'...'` means anything but `'` itself. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** `short`: to be looked at, with the middle of the image left out. */
export function curl({ algorithm, uuid, image, seconds }, { short = false } = {}) {
  // The key itself is not shown: what is copied is passed on.
  const key = hasKey() ? ' -H "Authorization: Bearer $KEY"' : "";
  const url = quoted(location.origin + pathOf(algorithm)) + key;
  const body = (text) => JSON.stringify({ esun_uuid: uuid, esun_timestamp: seconds, image: text });
  if (image.length > MOST_CHARACTERS) {
    // From a file, whatever that is called.
    const format = quoted(body("%s"));
    return `printf ${format} "$(base64 -w0 picture)" | curl -i ${url} -d @-`;
  }
  const text = short && image.length > SHOWN_CHARACTERS ? `${image.slice(0, SHOWN_CHARACTERS)}…` : image;
  return `curl -i ${url} -d ${quoted(body(text))}`;
}
