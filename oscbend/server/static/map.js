// The signal flow: features, what they drive, and the sites of the network that are bent.

import { CELL, layout } from "./layout.js";
import { draw, find, hue } from "./dom.js";

const REACHED = 24;
const NODE = { height: 24, gap: 8 };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class FlowMap {
  /** `arm` is called with the site that was clicked, `look` with the bend. */
  constructor(arm, look) {
    this.svg = find("#map");
    this.arm = arm;
    this.look = look;
    this.cells = new Map();
    this.nodes = new Map();
    this.flows = [];
    this.drawn = "";
  }

  /** Draws anew if there is anything that was not there before. */
  show(show, features) {
    this.bends = show.bends;
    const key = JSON.stringify([show.sites, show.bends, show.drives, features]);
    if (key === this.drawn) return;
    this.drawn = key;
    const focused = document.activeElement?.dataset?.site;
    const plan = layout(show.sites);
    const targets = this.targets(show);
    const y = { features: 0, targets: features.length ? 62 : 0 };
    const top = targets.length || features.length ? y.targets + 70 : 0;
    this.svg.setAttribute("viewBox", `-6 -6 ${plan.width + 12} ${top + plan.height + 12}`);
    this.svg.style.setProperty("--least", `${plan.width * 0.64}px`);
    this.cells.clear();
    this.nodes.clear();
    this.flows = [];
    const back = draw("g", {}), front = draw("g", {});
    for (const wire of plan.wires) {
      const points = wire.points.map(([px, py]) => `${px},${py + top}`).join(" ");
      back.append(draw("polyline", { points, class: `wire ${wire.kind}` }));
    }
    for (const { text, x, y: at } of plan.headings) {
      front.append(draw("text", { x, y: at + top, class: "heading" }, text));
    }
    for (const cell of plan.cells) front.append(this.cell({ ...cell, y: cell.y + top }));
    this.row(front, features.map((name) => ({ key: `feature ${name}`, label: name, kind: "feature" })), y.features, plan.width);
    this.row(front, targets, y.targets, plan.width);
    this.connect(back, show);
    this.svg.replaceChildren(back, front);
    const first = this.cells.get(focused) ?? this.cells.values().next().value;
    first?.group.setAttribute("tabindex", "0");
    if (focused) this.cells.get(focused)?.group.focus();
  }

  targets(show) {
    const bends = show.bends.map((b) => ({ key: `/bend/${b.id}`, label: `${b.id} ${b.op}`, kind: "bend", bend: b }));
    const others = show.drives.map((d) => d.address).filter((a) => !a.startsWith("/bend/"));
    return [...bends, ...[...new Set(others)].map((a) => ({ key: a, label: a.slice(1), kind: "control" }))];
  }

  cell({ name, shape, part, label, x, y }) {
    const group = draw(
      "g",
      {
        class: `cell ${part}`, role: "button", tabindex: "-1", "data-site": name, "aria-label": `bend at ${name}`,
        transform: `translate(${x} ${y})`,
        onclick: () => this.arm(name),
        onkeydown: (event) => this.key(event, name),
      },
      draw("title", {}, `${name}  ${shape.join(" × ")}`),
      draw("rect", { width: CELL.width, height: CELL.height, rx: 5 }),
      draw("text", { x: CELL.width / 2, y: CELL.height / 2 + 4 }, label),
    );
    this.cells.set(name, { group, x: x + CELL.width / 2, y });
    return group;
  }

  row(parent, nodes, y, width) {
    const size = Math.min(150, (width - NODE.gap * (nodes.length - 1)) / Math.max(1, nodes.length));
    const start = (width - nodes.length * (size + NODE.gap) + NODE.gap) / 2;
    nodes.forEach(({ key, label, kind, bend }, n) => {
      const x = start + n * (size + NODE.gap), letters = Math.max(1, Math.floor((size - 8) / 6.6));
      const group = draw(
        "g",
        {
          class: `node ${kind}`, transform: `translate(${x} ${y})`, ...(bend ? { role: "button", tabindex: "0", "aria-label": `bend ${label}` } : {}),
          onclick: () => bend && this.look(bend.id),
          onkeydown: (event) => bend && event.key === "Enter" && this.look(bend.id),
        },
        draw("title", {}, bend ? `${label} at ${bend.site}` : label),
        draw("rect", { width: size, height: NODE.height, rx: 12 }),
        draw("text", { x: size / 2, y: 16 }, label.length > letters ? `${label.slice(0, letters - 1)}…` : label),
      );
      if (bend) group.style.setProperty("--hue", hue(bend.id));
      this.nodes.set(key, { group, x: x + size / 2, top: y, bottom: y + NODE.height });
      parent.append(group);
    });
  }

  connect(back, show) {
    const join = (from, to, attributes) => {
      const [x0, y0, x1, y1] = [from.x, from.bottom, to.x, to.top ?? to.y], half = (y0 + y1) / 2;
      const path = draw("path", { d: `M${x0},${y0} C${x0},${half} ${x1},${half} ${x1},${y1}`, ...attributes });
      back.append(path);
      return path;
    };
    for (const { address, feature, mod } of show.drives) {
      const from = this.nodes.get(`feature ${feature}`) ?? this.nodes.get(`feature ${feature.replace(/\.\d+$/, "")}`);
      const to = this.nodes.get(address.startsWith("/bend/") ? address.split("/").slice(0, 3).join("/") : address);
      if (!from || !to) continue;
      const path = join(from, to, { class: `flow drive${mod ? " mod" : ""}` });
      path.append(draw("title", {}, `${feature} drives ${address}`));
      this.flows.push({ path, feature });
    }
    for (const bend of show.bends) {
      for (const site of bend.sites.slice(0, REACHED)) {
        const cell = this.cells.get(site);
        if (!cell) continue;
        const path = join(this.nodes.get(`/bend/${bend.id}`), cell, { class: "flow bend" });
        path.style.setProperty("--hue", hue(bend.id));
        this.flows.push({ path, bend });
      }
    }
  }

  /** Lights what is bent, and by how much; and the features as they come. */
  glow(amounts, wet, features) {
    if (!this.bends) return;
    const bent = new Map();
    for (const bend of this.bends) {
      const amount = bend.on ? (amounts[bend.id] ?? 0) * wet : 0;
      this.nodes.get(`/bend/${bend.id}`)?.group.style.setProperty("--amount", amount.toFixed(3));
      for (const site of bend.sites) {
        const most = bent.get(site);
        bent.set(site, { id: most && most.amount > amount ? most.id : bend.id, amount: Math.max(most?.amount ?? 0, amount) });
      }
    }
    for (const [name, { group }] of this.cells) {
      const found = bent.get(name);
      group.classList.toggle("bent", Boolean(found));
      if (!found) continue;
      group.style.setProperty("--hue", hue(found.id));
      group.style.setProperty("--amount", found.amount.toFixed(3));
    }
    for (const flow of this.flows) {
      const level = flow.bend ? (flow.bend.on ? (amounts[flow.bend.id] ?? 0) * wet : 0) : unit(features, flow.feature);
      flow.path.style.setProperty("--amount", level.toFixed(3));
    }
    for (const [name, feature] of Object.entries(features)) {
      const level = Math.max(...feature.unit, 0);
      this.nodes.get(`feature ${name}`)?.group.style.setProperty("--amount", level.toFixed(3));
    }
  }

  key(event, name) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.arm(name);
    }
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    const from = this.cells.get(name);
    let best = null, least = Infinity;
    for (const cell of this.cells.values()) {
      const along = (cell.x - from.x) * arrow[0] + (cell.y - from.y) * arrow[1];
      const aside = Math.abs((cell.x - from.x) * arrow[1]) + Math.abs((cell.y - from.y) * arrow[0]);
      const distance = along + 3 * aside;
      if (along > 1 && distance < least) [best, least] = [cell, distance];
    }
    if (!best) return;
    from.group.setAttribute("tabindex", "-1");
    best.group.setAttribute("tabindex", "0");
    best.group.focus();
  }
}

/** 0..1 of a feature or of one of its components. */
function unit(features, name) {
  if (features[name]) return Math.max(...features[name].unit, 0);
  const [, whole, part] = name.match(/^(.*)\.(\d+)$/) ?? [];
  return features[whole]?.unit[part] ?? 0;
}
