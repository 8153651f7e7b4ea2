// OSC messages as the server writes them: int, float and string.

const text = new TextEncoder(), letters = new TextDecoder();
const padded = (size) => (size + 4) & ~3;

/** The bytes of a message; `types` holds one of i f s for each argument. */
export function encode(address, types, args) {
  const strings = [address, "," + types].map((s) => text.encode(s));
  const parts = args.map((arg, n) => (types[n] === "s" ? text.encode(String(arg)) : arg));
  const sizes = [...strings, ...parts].map((p) => (p instanceof Uint8Array ? padded(p.length) : 4));
  const packet = new Uint8Array(sizes.reduce((a, b) => a + b, 0));
  const view = new DataView(packet.buffer);
  let at = 0;
  [...strings, ...parts].forEach((part, n) => {
    if (part instanceof Uint8Array) packet.set(part, at);
    else if (types[n - 2] === "i") view.setInt32(at, Math.round(part));
    else view.setFloat32(at, part);
    at += sizes[n];
  });
  return packet;
}

/** The address and arguments of one message. */
export function decode(buffer) {
  const bytes = new Uint8Array(buffer), view = new DataView(buffer);
  let at = 0;
  const string = () => {
    const end = bytes.indexOf(0, at), found = letters.decode(bytes.subarray(at, end));
    at += padded(end - at);
    return found;
  };
  const address = string();
  const args = [...string().slice(1)].map((tag) => {
    if (tag === "s") return string();
    at += 4;
    return tag === "i" ? view.getInt32(at - 4) : view.getFloat32(at - 4);
  });
  return { address, args };
}
