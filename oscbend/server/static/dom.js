// Elements in a few words.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export const make = (tag, attributes = {}, ...children) =>
  filled(document.createElement(tag), attributes, children);

export const draw = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

export const find = (selector) => document.querySelector(selector);

/** A number as people read it. */
export function told(number) {
  if (!Number.isFinite(number)) return "";
  const size = Math.abs(number);
  return size >= 1000 ? number.toFixed(0) : size >= 10 ? number.toFixed(1) : number.toFixed(2);
}

/** The colour of a bend: always the same for the same name. */
export function hue(id) {
  let sum = 0;
  for (const letter of String(id)) sum = (sum * 31 + letter.charCodeAt(0)) % 997;
  return (sum * 137.5 + 20) % 360;
}

/** A menu; `groups` maps a heading to the choices below it, or is a list of choices. */
export function menu(groups, chosen, attributes = {}) {
  const option = (value) =>
    make("option", { value, selected: String(value) === String(chosen) }, String(value));
  const select = make("select", attributes);
  if (Array.isArray(groups)) select.append(...groups.map(option));
  else {
    for (const [label, values] of Object.entries(groups)) {
      select.append(make("optgroup", { label }, ...values.map(option)));
    }
  }
  return select;
}
