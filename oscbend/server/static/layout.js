// Where each site stands on the map: the way down, the middle, the way up, the skips, the decoder.

export const CELL = { width: 46, height: 24, gap: 5 };
const STEP = CELL.width + CELL.gap, LINE = CELL.height + 16, INDENT = 14;

const SHORT = { text: "text", time: "time", image: "image", "unet.in": "in", "unet.out": "out", "unet.mid.attn": "attn" };

/** What stands in a cell: the last parts of the name. */
function short(name) {
  if (SHORT[name]) return SHORT[name];
  const [head, ...rest] = name.split(".");
  if (head === "latent" || head === "skip") return `${head === "skip" ? "skip " : ""}${rest.join(".")}`;
  if (rest.at(-1) === "sample") return rest[0] === "down" ? "↓" : "↑";
  return head === "vae" ? rest.join(" ") : rest.slice(-2).join(" ");
}

/** Cells {name, shape, x, y, label, part}, headings, wires between parts, and how large all of it is. */
export function layout(sites) {
  const net = sites.filter(([name]) => /^(unet|skip)\./.test(name) && !name.startsWith("unet.mid"));
  const rows = [...new Set(net.map(([, shape]) => shape[1]))].sort((a, b) => b - a);
  const levels = rows.map(() => ({ left: [], skip: [], right: [] }));
  const middle = [], latents = [], decoder = [], inputs = [];
  for (const site of sites) {
    const [name, shape] = site;
    const side = /^unet\.(in|down)/.test(name) ? "left" : name.startsWith("skip") ? "skip" : "right";
    if (name.startsWith("latent")) latents.push(site);
    else if (name.startsWith("unet.mid")) middle.push(site);
    else if (/^(unet|skip)\./.test(name)) levels[rows.indexOf(shape[1])][side].push(site);
    else (name === "text" || name === "time" ? inputs : decoder).push(site);
  }
  const wide = (count) => Math.max(0, count * STEP - CELL.gap);
  const widths = levels.map(
    (l, n) => 2 * n * INDENT + wide(l.left.length) + wide(l.skip.length) + wide(l.right.length) + 4 * CELL.gap + 40,
  );
  const width = Math.max(...widths, wide(middle.length), wide(decoder.length) + 60, 8 * STEP);
  const cells = [], headings = [], wires = [];
  let y = 0;
  const put = (list, x, part, at = y) =>
    list.map(([name, shape], n) => {
      const cell = { name, shape, part, label: short(name), x: x + n * STEP, y: at };
      cells.push(cell);
      return cell;
    });
  const heading = (text, x = 0) => {
    headings.push({ text, x, y: y + 8 });
    y += 14;
  };

  heading("the picture-to-be, before each step");
  const across = Math.max(1, Math.floor((width + CELL.gap) / STEP));
  for (let n = 0; n < latents.length; n += across) {
    put(latents.slice(n, n + across), 0, "latent");
    y += CELL.height + CELL.gap;
  }
  y += 12;
  heading("the network: down, middle, up");
  const arms = { left: [], right: [] };
  levels.forEach((level, n) => {
    const left = put(level.left, n * INDENT, "down");
    const right = put(level.right, width - n * INDENT - wide(level.right.length), "up");
    const from = n * INDENT + wide(level.left.length), to = width - n * INDENT - wide(level.right.length);
    const skips = put(level.skip, (from + to - wide(level.skip.length)) / 2, "skip");
    if (skips.length) wires.push({ kind: "skip", points: [[from, y + CELL.height / 2], [to, y + CELL.height / 2]] });
    if (left.length) arms.left.push(left);
    if (right.length) arms.right.push(right);
    y += LINE;
  });
  const mid = put(middle, (width - wide(middle.length)) / 2, "middle");
  y += LINE;
  wires.push({ kind: "arm", points: way([...arms.left, mid, ...arms.right.reverse()].filter((row) => row.length)) });
  heading("what the network is told");
  put(inputs, 0, "input");
  y += LINE;
  heading("the decoder, and the picture");
  put(decoder, 0, "decoder");
  y += CELL.height;
  return { cells, headings, wires, width, height: y };
}

/** A line through rows of cells, each from its first to its last. */
function way(rows) {
  return rows.flatMap((row) => {
    const at = row[0].y + CELL.height / 2;
    return [[row[0].x, at], [row.at(-1).x + CELL.width, at]];
  });
}
