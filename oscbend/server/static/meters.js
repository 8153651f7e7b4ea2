// What moves by itself: the time each frame took, and the features.

import { find, make, told } from "./dom.js";

const KEPT = 300;

/** The time from frame to frame as a plot; a frame that came too late stands out. */
export class Timing {
  constructor() {
    this.canvas = find("#timing");
    this.took = [];
  }

  add(took, status, fps) {
    this.took.push(...took);
    this.took.splice(0, Math.max(0, this.took.length - KEPT));
    const asked = 1000 / (fps || 30), late = this.took.filter((ms) => ms > 1.5 * asked).length;
    find("#fps").textContent = status.fps.toFixed(1);
    find("#frame-ms").textContent = status.frame_ms.toFixed(1);
    find("#worst-ms").textContent = status.worst_ms.toFixed(0);
    find("#late-frames").textContent = `${late} of ${this.took.length}`;
    find("#dropped").textContent = status.dropped + status.bad;
    find("#late-bundles").textContent = status.late;
    if (took.length) this.draw(asked);
  }

  draw(asked) {
    const { canvas, took } = this, ratio = devicePixelRatio || 1;
    const width = (canvas.width = canvas.clientWidth * ratio), height = (canvas.height = canvas.clientHeight * ratio);
    const pen = canvas.getContext("2d");
    const top = Math.max(2.2 * asked, [...took].sort((a, b) => a - b)[Math.floor(took.length * 0.97)] * 1.15 || 0);
    const y = (ms) => height - (Math.min(ms, top) / top) * (height - 2 * ratio);
    const step = width / KEPT;
    took.forEach((ms, n) => {
      pen.fillStyle = ms > 1.5 * asked ? "#ff6b57" : "#3aa6a0";
      pen.fillRect(width - (took.length - n) * step, y(ms), Math.max(1, step - 0.5 * ratio), height - y(ms));
    });
    pen.strokeStyle = "#8b93a7";
    pen.setLineDash([4 * ratio, 4 * ratio]);
    pen.beginPath();
    pen.moveTo(0, y(asked));
    pen.lineTo(width, y(asked));
    pen.stroke();
    pen.fillStyle = "#aab1c2";
    pen.font = `${11 * ratio}px system-ui`;
    pen.fillText(`asked: ${told(asked)} ms`, 6 * ratio, y(asked) - 4 * ratio);
  }
}

/** Every feature as a bar over its range, or as many as it has components. */
export class Features {
  constructor() {
    this.list = find("#features");
    this.rows = new Map();
  }

  show(features) {
    const names = Object.keys(features);
    find("#no-features").hidden = names.length > 0;
    for (const [name, row] of this.rows) {
      if (features[name]?.unit.length === row.bars.length) continue;
      row.element.remove();
      this.rows.delete(name);
    }
    for (const name of names) {
      if (!this.rows.has(name)) this.rows.set(name, this.row(name, features[name]));
      const row = this.rows.get(name), { unit, value, lo, hi, size } = features[name];
      unit.forEach((level, n) => row.bars[n].style.setProperty("--level", level));
      row.value.textContent = size > 1 ? `${size} values` : told(value[0]);
      row.range.textContent = `${told(Math.min(...lo))} … ${told(Math.max(...hi))}`;
      row.element.setAttribute("aria-label", `${name} ${Math.round(100 * Math.max(...unit))} %`);
    }
  }

  row(name, { unit }) {
    const bars = unit.map(() => make("i"));
    const value = make("b"), range = make("small");
    const element = make(
      "li", {}, make("span", { class: "name" }, name), make("span", { class: "bars" }, ...bars), value, range,
    );
    this.list.append(element);
    return { element, bars, value, range };
  }
}
