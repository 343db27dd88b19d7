"use strict";
// Text of a script element that holds gzip in base64.
async function unpacked(id) {
  const letters = atob(document.getElementById(id).textContent);
  const packed = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i += 1) packed[i] = letters.charCodeAt(i);
  if (typeof DecompressionStream === "undefined") return new TextDecoder().decode(inflate(packed.subarray(10)));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

// Inflate for browsers that cannot (RFC 1951). The page's gzip header always has ten bytes.
function inflate(source) {
  const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  const FAR = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
  const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  let out = new Uint8Array(source.length * 4), size = 0, at = 0, held = 0, count = 0;
  const bits = (n) => {
    while (count < n) { held |= source[at++] << count; count += 8; }
    const value = held & ((1 << n) - 1);
    held >>>= n;
    count -= n;
    return value;
  };
  const put = (byte) => {
    if (size === out.length) { const more = new Uint8Array(2 * size); more.set(out); out = more; }
    out[size++] = byte;
  };
  const tree = (lengths) => {
    const counts = new Uint16Array(16), starts = new Uint16Array(16), symbols = new Uint16Array(lengths.length);
    for (const length of lengths) counts[length] += 1;
    counts[0] = 0;
    for (let i = 1; i < 16; i += 1) starts[i] = starts[i - 1] + counts[i - 1];
    lengths.forEach((length, symbol) => { if (length) symbols[starts[length]++] = symbol; });
    return { counts, symbols };
  };
  const symbol = ({ counts, symbols }) => {
    let code = 0, first = 0, index = 0;
    for (let length = 1; length < 16; length += 1) {
      code |= bits(1);
      if (code - counts[length] < first) return symbols[index + code - first];
      index += counts[length];
      first = (first + counts[length]) << 1;
      code <<= 1;
    }
    throw new Error("the page's data is damaged");
  };
  const dynamic = () => {
    const literal = bits(5) + 257, distant = bits(5) + 1, used = bits(4) + 4, small = new Array(19).fill(0);
    for (let i = 0; i < used; i += 1) small[ORDER[i]] = bits(3);
    const codes = tree(small), lengths = [];
    while (lengths.length < literal + distant) {
      const next = symbol(codes);
      if (next < 16) lengths.push(next);
      else {
        const [value, times] = next === 16 ? [lengths.at(-1), 3 + bits(2)] : [0, next === 17 ? 3 + bits(3) : 11 + bits(7)];
        for (let i = 0; i < times; i += 1) lengths.push(value);
      }
    }
    return [tree(lengths.slice(0, literal)), tree(lengths.slice(literal))];
  };
  const fixed = () => [
    tree(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8))), tree(new Array(30).fill(5)),
  ];
  let last = 0;
  while (!last) {
    last = bits(1);
    const kind = bits(2);
    if (kind === 0) {
      held = 0; count = 0;
      const length = source[at] | (source[at + 1] << 8);
      at += 4;
      for (let i = 0; i < length; i += 1) put(source[at++]);
      continue;
    }
    const [literals, distances] = kind === 1 ? fixed() : dynamic();
    for (let next = symbol(literals); next !== 256; next = symbol(literals)) {
      if (next < 256) { put(next); continue; }
      const place = next - 257;
      const length = LENGTHS[place] + (place > 7 && place < 28 ? bits((place >> 2) - 1) : 0);
      const far = symbol(distances);
      const back = FAR[far] + (far > 3 ? bits((far >> 1) - 1) : 0);
      for (let i = 0; i < length; i += 1) put(out[size - back]);
    }
  }
  return out.subarray(0, size);
}
