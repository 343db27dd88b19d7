"use strict";
(() => {
  const view = document.getElementById("explore-view");
  const said = document.getElementById("explore-said");
  const fields = ["a", "b"].map((side) => document.getElementById(`explore-${side}`));
  const SHOWN = 12;
  let data = null;
  let marked = null; // label's position; null: all that are listed

  // ---- unpacking ----

  async function unpack() {
    const packed = Uint8Array.from(atob(document.getElementById("explore-data").textContent), (c) => c.charCodeAt(0));
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
      throw new Error("the explorer's data is damaged");
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

  // ---- drawing: whatever a text holds becomes a text node ----

  function el(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "onclick") node.addEventListener("click", value);
      else node.setAttribute(key, value);
    }
    node.append(...children.flat().filter((child) => child !== null));
    return node;
  }

  const named = (c) => (c.name ? `${c.name} (${c.ticker})` : c.ticker);
  const decimal = (value, digits = 2) => value.toFixed(digits);

  function company([ticker, name, industry, cluster, text, features, peers]) {
    return {
      ticker, name, industry, cluster, text,
      features: features.map(([id, value, ...places]) => ({ id, label: data.labels[id], value: value / 1000, places })),
      peers: peers.map((list) => {
        const pairs = [];
        for (let i = 0; i < list.length; i += 2) pairs.push({ at: list[i], similarity: list[i + 1] / 1000 });
        return pairs;
      }),
    };
  }

  function seek(text) {
    const words = text.trim().toLowerCase();
    if (!words) return null;
    const tests = [
      ([ticker]) => ticker.toLowerCase() === words,
      ([, name]) => name.toLowerCase() === words,
      ([, name]) => name.toLowerCase().startsWith(words),
      ([, name]) => name.toLowerCase().includes(words),
    ];
    const hit = tests.map((test) => data.companies.find(test)).find(Boolean);
    return hit ? company(hit) : undefined;
  }

  // Where the given features fire, as a text with marks.
  function textOf(one, features) {
    const places = [];
    for (const feature of features) {
      for (let i = 0; i < feature.places.length; i += 2) places.push(feature.places.slice(i, i + 2));
    }
    places.sort((a, b) => a[0] - b[0]);
    const characters = [...one.text]; // as Python counts them
    const parts = [];
    let at = 0;
    for (const [start, end] of places) {
      if (start < at || end > characters.length) continue;
      parts.push(characters.slice(at, start).join(""), el("mark", {}, characters.slice(start, end).join("")));
      at = end;
    }
    parts.push(characters.slice(at).join(""));
    return el("p", { class: "explore-text" }, parts);
  }

  function panel(title, ...parts) {
    return el("section", { class: "explore-panel", "aria-label": title }, el("h3", {}, title), parts);
  }

  function peersBy(one, number) {
    const method = data.methods[number];
    if (!one.peers[number].length) return panel(`Peers by ${method}`, el("p", {}, "None."));
    return panel(`Peers by ${method}`, el("ol", {}, one.peers[number].map(({ at, similarity }) => {
      const [ticker, name] = data.companies[at];
      return el("li", {},
        el("span", {}, el("button", { type: "button", class: "explore-link", onclick: () => show(ticker, "") }, ticker), " ", el("small", {}, name)),
        el("small", {}, similarity > 1 ? `${similarity} digits` : decimal(similarity)),
        el("button", { type: "button", "aria-label": `Compare ${one.ticker} with ${ticker}`, onclick: () => show(one.ticker, ticker) }, "compare"));
    })));
  }

  function markButton(feature, text) {
    return el("button", {
      type: "button", "aria-pressed": String(marked === feature.id), "aria-label": `Mark ${feature.label}`,
      onclick: () => { marked = marked === feature.id ? null : feature.id; draw(); },
    }, text);
  }

  const chosen = (features) => features.filter((feature) => marked === null || feature.id === marked);

  function alone(one) {
    const listed = one.features.slice(0, SHOWN);
    return [
      el("h3", {}, named(one)),
      el("p", { class: "byline" }, [one.industry, one.cluster && `cluster ${one.cluster}`].filter(Boolean).join(" · ")),
      el("div", { class: "explore-columns explore-texts" },
        panel("Description", textOf(one, chosen(listed))),
        panel("Its strongest features", el("ol", {}, listed.map((feature) => el("li", {},
          el("span", {}, feature.label), el("small", {}, `${decimal(100 * feature.value ** 2, 1)} %`), markButton(feature, "mark")))))),
      el("div", { class: "explore-columns" }, data.methods.map((_, number) => peersBy(one, number))),
    ];
  }

  function together(one, other) {
    const theirs = new Map(other.features.map((feature) => [feature.id, feature]));
    const shared = one.features.filter((feature) => theirs.has(feature.id))
      .map((feature) => ({ ...feature, adds: feature.value * theirs.get(feature.id).value }))
      .sort((a, b) => b.adds - a.adds);
    const sum = shared.reduce((total, feature) => total + feature.adds, 0);
    const peer = one.peers[0].find(({ at }) => data.companies[at][0] === other.ticker);
    const whole = peer ? ` of their similarity of ${decimal(peer.similarity)}` : " to their similarity";
    const texts = [one, other].map((side) => panel(named(side),
      el("p", { class: "byline" }, side.industry),
      textOf(side, chosen(side.features.filter((feature) => shared.some(({ id }) => id === feature.id))))));
    return [
      el("h3", {}, `${one.ticker} and ${other.ticker}`),
      el("p", {}, shared.length
        ? `Of the ${one.features.length} strongest features of each, they share ${shared.length}, which add ${decimal(sum, 3)}${whole}. Marked: where these fire most.`
        : `Of the ${one.features.length} strongest features of each they share none.`),
      el("div", { class: "explore-columns explore-texts" }, texts),
      shared.length ? panel("Shared features", el("ol", {}, shared.map((feature) => el("li", {},
        el("span", {}, feature.label), el("small", {}, `adds ${decimal(feature.adds, 3)}`), markButton(feature, "mark"))))) : null,
    ];
  }

  function draw() {
    const [one, other] = fields.map((field) => seek(field.value));
    if (one === undefined || other === undefined) {
      said.textContent = "No such company: choose one from the list.";
      return;
    }
    said.textContent = one ? `${data.companies.length} companies` : "Name a company.";
    const focus = document.activeElement?.getAttribute("aria-label");
    view.replaceChildren(...(one ? (other && other.ticker !== one.ticker ? together(one, other) : alone(one)) : []).filter(Boolean));
    if (focus) [...view.querySelectorAll("button")].find((button) => button.getAttribute("aria-label") === focus)?.focus({ preventScroll: true });
  }

  function show(a, b) {
    fields[0].value = a;
    fields[1].value = b;
    marked = null;
    draw();
  }

  async function begin() {
    data = JSON.parse(await unpack());
    document.getElementById("explore-list").append(...data.companies.map(([ticker, name]) => new Option(name, ticker)));
    document.getElementById("explore-form").addEventListener("submit", (event) => {
      event.preventDefault();
      marked = null;
      draw();
    });
    fields.forEach((field) => field.addEventListener("change", () => { marked = null; draw(); }));
    show(data.companies[0][0], "");
  }

  begin().catch((error) => { said.textContent = `The explorer cannot be shown: ${error.message}`; });
})();
