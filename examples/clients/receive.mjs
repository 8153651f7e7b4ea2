// Receives oscbend's pictures as JPEG in Node, with nothing installed: node receive.mjs [COUNT [WEB_PORT]]
import { get } from "node:http";
import { writeFileSync } from "node:fs";

const count = Number(process.argv[2] ?? 100);
const START = Buffer.from([0xff, 0xd8]), END = Buffer.from([0xff, 0xd9]);
let seen = 0, rest = Buffer.alloc(0);
get({ host: "127.0.0.1", port: Number(process.argv[3] ?? 57131), path: "/live.mjpg" }, (stream) => {
    stream.on("data", (part) => {
        rest = Buffer.concat([rest, part]);
        for (let start, end; (start = rest.indexOf(START)) >= 0 && (end = rest.indexOf(END, start)) >= 0;) {
            const picture = rest.subarray(start, end + 2);
            rest = rest.subarray(end + 2);
            console.log(`picture ${++seen}: ${picture.length} bytes`);
            if (seen < count) continue;
            writeFileSync("newest.jpg", picture);
            process.exit(0);
        }
    });
}).on("error", (error) => { console.error(`no oscbend there: ${error.message}`); process.exit(1); });
