// A control for an address, made from what OSCQuery tells of it.

import { make, menu, told } from "./dom.js";

const STEPS = 1000;

/** Whether an address is something to set: readable, writable, and no other way to set what has its own. */
export function settable(node) {
  return node?.ACCESS === 3 && !["view", "talk"].some((tag) => node.TAGS?.includes(tag));
}

/**
 * The element for a node, and what takes values that come; `play` is false where one may only look.
 * Live numbers are sliders over their musical range, beside a field that takes the whole range.
 */
export function control(node, wire, play, label = node.FULL_PATH.split("/").at(-1)) {
  const ranges = node.RANGE ?? [], types = node.TYPE;
  const send = (values) => wire.send(node.FULL_PATH, values, types);
  const inputs = [...types].map((type, n) => {
    const range = ranges[n] ?? {}, value = node.VALUE?.[n] ?? (type === "s" ? "" : 0);
    const current = () => inputs.map((input) => input.read());
    if (range.VALS) return choice(range.VALS, value, type, () => send(current()), node, play);
    if (type === "s") return words(value, () => send(current()), node, play);
    if (type === "i" && range.MIN === 0 && range.MAX === 1) return toggle(value, () => send(current()), node, play);
    const musical = node.MUSICAL?.[n];
    return number(value, type, range, musical, (now) => (now ? send(current()) : wire.glide(node.FULL_PATH, current(), types)), node, play);
  });
  const element = make(
    "div", { class: "control", "data-address": node.FULL_PATH, title: node.DESCRIPTION ?? "" },
    make("span", { class: "label" }, label), make("span", { class: "fields" }, ...inputs.map((i) => i.element)),
  );
  const take = (values) => values.forEach((value, n) => inputs[n]?.write(value));
  return { element, stop: wire.listen(node.FULL_PATH, take) };
}

function choice(values, value, type, changed, node, play) {
  const element = menu(values, value, { "aria-label": node.FULL_PATH, disabled: !play, onchange: changed });
  const read = () => (type === "s" ? element.value : Number(element.value));
  return { element, read, write: (now) => (element.value = now) };
}

function words(value, changed, node, play) {
  const element = make("input", {
    type: "text", value, "aria-label": node.FULL_PATH, disabled: !play, spellcheck: "false", autocomplete: "off", onchange: changed,
  });
  return { element, read: () => element.value, write: (now) => document.activeElement !== element && (element.value = now) };
}

function toggle(value, changed, node, play) {
  const element = make("input", { type: "checkbox", role: "switch", checked: value === 1, "aria-label": node.FULL_PATH, disabled: !play, onchange: changed });
  return { element, read: () => (element.checked ? 1 : 0), write: (now) => (element.checked = now === 1) };
}

function number(value, type, range, musical, changed, node, play) {
  const lo = musical?.MIN ?? range.MIN, hi = musical?.MAX ?? range.MAX, whole = type === "i";
  const field = make("input", {
    type: "number", value: whole ? value : told(value), step: "any", min: range.MIN, max: range.MAX,
    "aria-label": node.FULL_PATH, disabled: !play, inputmode: "decimal",
  });
  let now = value;
  field.onchange = () => {
    if (!Number.isFinite(field.valueAsNumber)) return;
    now = field.valueAsNumber;
    place();
    changed(true);
  };
  const narrow = Number.isFinite(lo) && Number.isFinite(hi) && hi - lo <= 1e4;
  const slider = narrow
    ? make("input", { type: "range", min: lo, max: hi, step: whole ? 1 : (hi - lo) / STEPS, value, "aria-label": `${node.FULL_PATH} slider`, disabled: !play })
    : null;
  const place = () => slider && (slider.value = now);
  if (slider) {
    slider.oninput = () => {
      now = slider.valueAsNumber;
      field.value = whole ? now : told(now);
      changed(false);
    };
  }
  const write = (come) => {
    if (slider?.matches(":active") || document.activeElement === field) return;
    now = come;
    field.value = whole ? come : told(come);
    place();
  };
  return { element: make("span", { class: "number" }, slider, field), read: () => now, write };
}
