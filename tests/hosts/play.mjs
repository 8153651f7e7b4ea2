// Plays the performance to a running oscbend, found by OSCQuery: node play.mjs WEB_PORT
import dgram from "node:dgram";
import process from "node:process";
import { fromBuffer, toBuffer } from "osc-min";
import oscquery from "oscquery";
import WebSocket from "ws";

const webPort = Number(process.argv[2]);
const service = await new oscquery.OSCQueryDiscovery().queryNewService("127.0.0.1", webPort);
const { name, oscPort, oscIp } = service.hostInfo;
console.log(`found ${name} at ${oscIp}:${oscPort}`);
for (const address of ["/feature/rms", "/prompt", "/seed"])
    console.log(`node ${address} ${service.resolvePath(address) !== null}`);

const live = new WebSocket(`ws://127.0.0.1:${webPort}`);
await new Promise((resolve) => live.once("open", resolve));
live.on("message", (data, binary) => {
    if (!binary) return console.log(`tree ${data}`);
    const message = fromBuffer(data);
    console.log(`live ${message.address} ${message.args.map((arg) => arg.value).join(" ")}`);
});

const udp = dgram.createSocket("udp4");
const synced = new Map();
udp.on("message", (data) => {
    const message = fromBuffer(data);
    const args = message.args.map((arg) => arg.value);
    console.log(`heard ${message.address} ${args.join(" ")}`);
    if (message.address === "/synced") synced.get(args[0])();
});
const osc = (address, ...args) => ({
    address,
    args: args.map((value) => (typeof value === "string" ? { type: "string", value } : value)),
});
const put = (packet) => udp.send(toBuffer(packet), oscPort, oscIp);
const send = (...words) => put(osc(...words));
const int = (value) => ({ type: "integer", value });
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const sync = (number) =>
    new Promise((resolve) => {
        synced.set(number, resolve);
        send("/sync", int(number));
    });

send("/notify", int(1));
send("/version");
send("/status");
send("/bend/1", "add", "image");
send("/bend/1/r/map", "rms", { type: "float", value: -1.5 }, { type: "float", value: 1.5 });
await sync(1);
live.send(JSON.stringify({ COMMAND: "LISTEN", DATA: "/bend/2/angle" }));
live.send(JSON.stringify({ COMMAND: "LISTEN", DATA: "/feature/rms" }));
await rest(600);
send("/feature/rms", { type: "float", value: 0 });
await sync(2);
await rest(600);
put({
    oscType: "bundle",
    timetag: [0, 1],
    elements: [
        osc("/bend/1/free"),
        osc("/bend/2", "rotate", "latent.end"),
        osc("/bend/2/angle", { type: "float", value: 1.5 }),
    ],
});
await sync(3);
await rest(600);
send("/prompt", "a red orb");
await sync(4);
await rest(600);
put({ oscType: "bundle", timetag: new Date(Date.now() + 2000), elements: [osc("/bend/2/on", int(0))] });
send("/status");
await rest(2500);
send("/bend/1", "no_such_operator", "image");
await sync(5);
await rest(200);
process.exit(0);
