/* Elements, whose text is text whatever it holds. */

export function make(name, className, text = "") {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

/** What a column of a table is called. */
export function head(text) {
  const cell = make("th", "", text);
  cell.scope = "col";
  return cell;
}

export function draw(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
