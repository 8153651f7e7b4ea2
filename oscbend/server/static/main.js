// The page: what the server tells goes to those who show it.

import { Bends } from "./bends.js";
import { Desk } from "./desk.js";
import { find } from "./dom.js";
import { FlowMap } from "./map.js";
import { Features, Timing } from "./meters.js";
import { Wire, watch } from "./wire.js";

const wire = new Wire();
const desk = new Desk(wire), bends = new Bends(wire, desk);
const timing = new Timing(), features = new Features();
let show = null, names = [], seen = "";
const map = new FlowMap((site) => desk.play && bends.ask(site, show.bends), (id) => bends.look(id));

function arrange() {
  if (!show) return;
  map.show(show, names);
  if (wire.tree) bends.show(show.bends, show.drives, names, show.sites.map(([name]) => name));
}

function news(told) {
  if (told.refusal !== undefined) {
    desk.may(told.refusal);
    find("#server").textContent = told.server;
    document.title = told.server;
  }
  const heard = Object.keys(told.features), changed = heard.join("\n") !== seen;
  if (changed) {
    seen = heard.join("\n");
    names = heard;
  }
  if (told.show) {
    show = told.show;
    desk.stand(show);
    wire.changed();
  }
  if (changed || told.show) arrange();
  timing.add(told.took_ms, told.status, show.fps);
  features.show(told.features);
  map.glow(told.amounts, told.wet, told.features);
  desk.hear(told.changes, told.lines);
  find("#status").textContent = `frame ${told.status.frame} · ${told.status.model}`;
}

async function picture(jpeg) {
  const bitmap = await createImageBitmap(jpeg), canvas = find("#picture");
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
}

function state(here) {
  document.body.classList.toggle("gone", !here);
  if (!here) find("#status").textContent = "the server has ended, or cannot be reached";
}

wire.addEventListener("tree", () => {
  desk.controls(wire.tree);
  arrange();
});
watch(news, picture, state);
