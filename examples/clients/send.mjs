// Plays oscbend from Node, with nothing installed: node send.mjs [PORT]
import { createSocket } from "node:dgram";

const port = Number(process.argv[2] ?? 57130);
const socket = createSocket("udp4");
const text = (words) => Buffer.from(words + "\0".repeat(4 - (Buffer.byteLength(words) % 4)));
const float = (number) => { const four = Buffer.alloc(4); four.writeFloatBE(number); return four; };
const send = (address, ...values) => socket.send(Buffer.concat([
    text(address),
    text("," + values.map((value) => (typeof value === "string" ? "s" : "f")).join("")),
    ...values.map((value) => (typeof value === "string" ? text(value) : float(value))),
]), port, "127.0.0.1");

send("/prompt", "starry night in blue");
send("/bend/1", "rotate", "latent.1");
send("/feature/wave/range", 0, 1);
send("/bend/1/angle/map", "wave", 0, 2 * Math.PI);
for (let n = 0; n < 200; n++) {   // four seconds of a feature, as from a sound
    send("/feature/wave", 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / 100));
    await new Promise((resolve) => setTimeout(resolve, 20));
}
socket.close();
