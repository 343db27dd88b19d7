"use strict";
(() => {
  const view = document.getElementById("explore-view");
  const said = document.getElementById("explore-said");
  const fields = ["a", "b"].map((side) => document.getElementById(`explore-${side}`));
  const SHOWN = 12;
  let data = null;
  let marked = null; // label's position; null: all that are listed

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
    data = JSON.parse(await unpacked("explore-data"));
    document.getElementById("explore-list").append(...data.companies.map(([ticker, name]) => new Option(name, ticker)));
    fields.forEach((field) => field.addEventListener("change", () => { marked = null; draw(); }));
    show(data.companies[0][0], "");
  }

  document.getElementById("explore-form").addEventListener("submit", (event) => {
    event.preventDefault(); // before there are data too: the page must not be loaded again
    marked = null;
    if (data) draw();
  });
  // The figures come first, unless the reader is here already.
  const start = () => {
    seen.disconnect();
    document.removeEventListener("drawn", start);
    begin().catch((error) => { said.textContent = `The explorer cannot be shown: ${error.message}`; });
  };
  const seen = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) start(); });
  seen.observe(document.getElementById("explore"));
  document.addEventListener("drawn", start);
})();
