// Prompts, what is above all bends, scenes, recording, all other controls, and the log.

import { control, settable } from "./controls.js";
import { find, make } from "./dom.js";

const MASTER = ["/black", "/wet", "/freeze", "/pause"];
const APART = ["bend", "feature", "trig", "prompt", "scene", "out", "record", "capture", "black", "wet", "freeze", "pause"];
const LINES = 200;

export class Desk {
  constructor(wire) {
    this.wire = wire;
    this.play = true;
    this.shown = {};
    this.stops = {};
    const sends = (id, call) => (find(id).onsubmit = (event) => {
      event.preventDefault();
      call();
    });
    sends("#morph", () => {
      const words = find("#morph-text").value.trim();
      if (words) wire.send("/prompt/morph", [words, find("#morph-s").valueAsNumber || 0], "sf");
    });
    sends("#scene", () => this.scene("save"));
    find("#scene-load").onclick = () => this.scene("load");
    find("#scene-morph").onclick = () => this.scene("morph");
    find("#record").onclick = () => wire.send(this.show?.recording ? "/record/stop" : "/record/start");
    find("#capture").onclick = () => wire.send(this.show?.capturing ? "/capture/stop" : "/capture/start");
    wire.addEventListener("reply", ({ detail }) => this.reply(detail));
  }

  scene(verb) {
    const name = find("#scene-name").value.trim();
    if (!name) return find("#scene-name").focus();
    const glides = verb === "morph";
    this.wire.send(`/scene/${verb}`, glides ? [name, find("#scene-s").valueAsNumber || 0] : [name], glides ? "sf" : "s");
  }

  /** Takes what only messages change. */
  stand(show) {
    this.show = show;
    for (const [id, file, idle] of [["#record", show.recording, "● record"], ["#capture", show.capturing, "● capture"]]) {
      const button = find(id);
      button.classList.toggle("going", Boolean(file));
      button.setAttribute("aria-pressed", Boolean(file));
      button.textContent = file ? `■ ${file.split(/[\\/]/).at(-1)}` : idle;
    }
  }

  /** Lets the page play, or only look. */
  may(refusal) {
    this.play = !refusal;
    document.body.classList.toggle("looks", !this.play);
    find("#look").hidden = this.play;
    find("#look").textContent = refusal;
    for (const element of document.querySelectorAll("[data-plays]")) element.disabled = !this.play;
    if (this.play) this.wire.send("/list", ["scenes"], "s");
  }

  reply({ address, args }) {
    if (address === "/list.reply" && args[0] === "scenes") {
      find("#scenes").replaceChildren(...args.slice(1).map((name) => make("option", { value: name })));
      find("#scene-chips").replaceChildren(
        ...args.slice(1).map((name) =>
          make("button", { type: "button", class: "chip", disabled: !this.play, onclick: () => { find("#scene-name").value = name; this.scene("load"); } }, name),
        ),
      );
    } else if (address === "/done") {
      this.log("done", args.join(" "));
      if (args[0].startsWith("/scene/save")) this.wire.send("/list", ["scenes"], "s");
    } else if (address === "/fail" || address === "/warn") {
      this.log("fail", args.join(" "));
      find("#toast").textContent = args.slice(1).join(" ");
      find("#toast").hidden = false;
      clearTimeout(this.toast);
      this.toast = setTimeout(() => (find("#toast").hidden = true), 5000);
    }
  }

  /** Makes the controls of the tree; groups whose addresses are the same stay as they are. */
  controls(tree) {
    const all = tree.CONTENTS;
    this.group("#master", MASTER.map((a) => all[a.slice(1)]).filter(Boolean));
    const prompts = Object.values(all.prompt?.CONTENTS ?? {}).filter((n) => /^\/prompt\/\d+$/.test(n.FULL_PATH));
    this.group("#prompts", prompts.flatMap((n) => [n, n.CONTENTS?.weight]).filter(Boolean), (n) =>
      n.FULL_PATH.endsWith("weight") ? "weight" : `prompt ${n.FULL_PATH.split("/")[2]}`);
    const more = find("#add-prompt"), next = [1, 2, 3, 4, 5, 6, 7, 8].find((n) => !all.prompt?.CONTENTS[n]);
    more.hidden = !next;
    more.onclick = () => this.wire.send(`/prompt/${next}`, ["starry night"], "s");
    this.group("#blend", ["xy", "blend", "negative"].map((n) => all.prompt?.CONTENTS[n]).filter(Boolean));
    const others = Object.entries(all).filter(([name]) => !APART.includes(name)).flatMap(([, node]) => inside(node));
    this.group("#controls", others, (n) => n.FULL_PATH.slice(1));
  }

  group(id, nodes, label) {
    const found = nodes.filter(settable);
    const key = JSON.stringify([this.play, found.map((n) => [n.FULL_PATH, n.TYPE, n.RANGE])]);
    if (this.shown[id] === key) return;
    this.shown[id] = key;
    this.stops[id]?.forEach((stop) => stop());
    const made = found.map((node) => control(node, this.wire, this.play, label?.(node)));
    this.stops[id] = made.map((one) => one.stop);
    find(id).replaceChildren(...made.map((one) => one.element));
  }

  /** Writes a line into the log, newest first. */
  log(kind, text) {
    const list = find("#log");
    list.prepend(make("li", { class: kind }, text));
    while (list.children.length > LINES) list.lastChild.remove();
  }

  /** Writes what the server has told: what was changed, and what went wrong, whoever did it. */
  hear(changes, lines) {
    for (const [address, ...args] of changes) {
      if (!address.startsWith("/feature/")) this.log("message", [address, ...args].join(" "));
    }
    for (const line of lines) this.log(/^\/\S+: /.test(line) ? "fail" : "line", line);
  }
}

/** A node and all that is below it. */
function inside(node) {
  return [node, ...Object.values(node.CONTENTS ?? {}).flatMap(inside)].filter((n) => !/\/(lag|map|unmap|mod|norm|to)$/.test(n.FULL_PATH) || n.FULL_PATH === "/lag");
}
