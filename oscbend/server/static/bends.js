// The bends as cards, and the dialog that arms one.

import { control, settable } from "./controls.js";
import { find, hue, make, menu, told } from "./dom.js";

const FIXED = ["op", "site", "x", "on", "mix", "window", "select", "branch", "free"];

export class Bends {
  constructor(wire, desk) {
    this.wire = wire;
    this.desk = desk;
    this.list = find("#bends");
    this.operators = {};
    this.kinds = {};
    this.cards = new Map();
    fetch("/page/operators.json").then((answer) => answer.json()).then((rows) => this.learn(rows));
    find("#arm form").onsubmit = () => this.arm();
    find("#arm-cancel").onclick = () => find("#arm").close();
    find("#arm-op").onchange = () => this.explain();
    find("#panic").onclick = () => wire.send("/panic");
    find("#free-all").onclick = () => wire.send("/bend/free");
  }

  learn(rows) {
    this.operators = Object.fromEntries(rows.map((row) => [row.name, row]));
    for (const { name, tags } of rows) (this.kinds[tags[0] ?? "other"] ??= []).push(name);
    find("#arm-op").replaceChildren(...menu(this.kinds, "").children);
    find("#arm-op").value = "rotate";
    this.explain();
  }

  explain() {
    find("#arm-help").textContent = this.operators[find("#arm-op").value]?.help ?? "";
  }

  /** Asks which operator is to bend at a site. */
  ask(site, bends) {
    const here = bends.filter((bend) => bend.sites.includes(site));
    const taken = new Set(bends.map((bend) => bend.id));
    let id = 1;
    while (taken.has(String(id))) id++;
    find("#arm-site").textContent = site;
    find("#arm-id").value = id;
    find("#arm-here").replaceChildren(
      ...here.map((bend) =>
        make("button", { type: "button", class: "chip", onclick: () => { find("#arm").close(); this.look(bend.id); } }, `${bend.id} ${bend.op}`),
      ),
    );
    find("#arm-here").hidden = !here.length;
    find("#arm").showModal();
    find("#arm-op").focus();
  }

  arm() {
    const id = find("#arm-id").value.trim(), op = find("#arm-op").value;
    if (!id) return;
    this.wanted = id;
    this.wire.send(`/bend/${id}`, [op, find("#arm-site").textContent], "ss");
  }

  /** Brings a bend's card into view. */
  look(id) {
    const card = this.cards.get(id)?.element;
    card?.scrollIntoView({ behavior: "smooth", block: "center" });
    card?.classList.add("looked");
    setTimeout(() => card?.classList.remove("looked"), 900);
  }

  /** Makes cards of what is in the tree; one that has not changed stays as it is, in its place. */
  show(bends, drives, features, sites) {
    find("#no-bends").hidden = bends.length > 0;
    for (const id of this.cards.keys()) if (!bends.some((bend) => bend.id === id)) this.remove(id);
    for (const bend of bends) {
      const node = this.wire.node(`/bend/${bend.id}`);
      if (!node) continue;
      const mine = drives.filter((d) => d.address.startsWith(`/bend/${bend.id}/`));
      const params = Object.keys(node.CONTENTS).filter((name) => !FIXED.includes(name));
      const key = JSON.stringify([bend.op, bend.site, params, mine, features, sites.length, this.desk.play]);
      if (this.cards.get(bend.id)?.key === key) continue;
      const before = this.cards.get(bend.id);
      const card = this.card(bend, node, params, mine, features, sites);
      if (before) before.element.replaceWith(card.element);
      else this.list.append(card.element);
      before?.stops.forEach((stop) => stop());
      this.cards.set(bend.id, { ...card, key });
      if (this.wanted === bend.id && !before) this.look(bend.id);
    }
  }

  remove(id) {
    const { element, stops } = this.cards.get(id);
    element.remove();
    stops.forEach((stop) => stop());
    this.cards.delete(id);
  }

  card(bend, node, params, drives, features, sites) {
    const { wire, desk: { play } } = this, at = node.FULL_PATH, stops = [];
    const add = (child, label) => {
      const { element, stop } = control(child, wire, play, label);
      stops.push(stop);
      return element;
    };
    const names = [...new Set([...sites, bend.site])];
    const on = add(node.CONTENTS.on, "on");
    const op = menu(this.kinds, bend.op, {
      "aria-label": `operator of bend ${bend.id}`, disabled: !play, onchange: () => wire.send(`${at}/op`, [op.value], "s"),
    });
    const site = menu(names, bend.site, {
      "aria-label": `site of bend ${bend.id}`, disabled: !play, onchange: () => wire.send(`${at}/site`, [site.value], "s"),
    });
    const free = make("button", {
      type: "button", class: "quiet", disabled: !play, "aria-label": `free bend ${bend.id}`, onclick: () => wire.send(`${at}/free`),
    }, "✕");
    const rows = ["mix", ...params].filter((name) => settable(node.CONTENTS[name]));
    const element = make(
      "article", { class: "card", "data-bend": bend.id, "aria-label": `bend ${bend.id}` },
      make("header", {}, make("b", {}, bend.id), op, site, on, free),
      ...rows.flatMap((name) => [add(node.CONTENTS[name], name), this.drive(node.CONTENTS[name], drives, features, play)]),
      make("details", {}, make("summary", {}, "where and when"), ...["window", "select", "branch"].map((name) => add(node.CONTENTS[name], name))),
    );
    element.style.setProperty("--hue", hue(bend.id));
    return { element, stops };
  }

  /** What drives a control: a menu of features, and the ends between which it goes. */
  drive(node, drives, features, play) {
    if (!node.MUSICAL || !node.CONTENTS?.map) return null;
    const map = drives.find((d) => d.address === node.FULL_PATH && !d.mod);
    const mods = drives.filter((d) => d.address === node.FULL_PATH && d.mod);
    if (!map && !features.length) return null;
    const [, held, lo = node.MUSICAL[0].MIN, hi = node.MUSICAL[0].MAX] = [0, ...(node.CONTENTS.map.VALUE ?? [])];
    const at = node.FULL_PATH, names = ["", ...new Set([...features, ...(map ? [map.feature] : [])])];
    const pick = menu(names, map?.feature ?? "", { "aria-label": `feature that drives ${at}`, disabled: !play });
    pick.options[0].textContent = "no feature";
    const ends = [lo, hi].map((value, n) =>
      make("input", { type: "number", step: "any", value: told(held ? value : node.MUSICAL[0][n ? "MAX" : "MIN"]), disabled: !play, "aria-label": `${n ? "highest" : "lowest"} of ${at}` }),
    );
    const send = () => {
      if (!pick.value) this.wire.send(`${at}/unmap`);
      else this.wire.send(`${at}/map`, [pick.value, ends[0].valueAsNumber, ends[1].valueAsNumber], "sff");
    };
    for (const input of [pick, ...ends]) input.onchange = () => (input === pick || pick.value) && send();
    return make("div", { class: `drive${map ? " driven" : ""}` }, make("span", {}, "↳"), pick, ...(map ? ends : []), ...mods.map((mod) => make("small", {}, `+ ${mod.feature}`)));
  }
}
