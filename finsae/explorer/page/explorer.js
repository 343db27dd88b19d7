"use strict";
(() => {
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#8c6bb1", "#999999"];
  const WAIT = 150; // ms between a slider's last move and the question
  const MOST = COLOURS.length; // companies drawn
  const MARKS = [0.66, 0.3, 0.05]; // shares of the strongest word: strong, middle, faint
  const main = document.getElementById("main");
  const problem = document.getElementById("error");
  const known = new Map(); // ticker -> [name, industry]
  const weights = new Map(); // feature -> weight, where it is not 1
  let selected = new Set();
  let company = "";
  let state = {};
  let listed = null; // all features, once asked for
  let asking = 0;
  let timer = 0;

  // Everything from the server becomes a text node or an attribute's value, never markup.
  function el(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === false || value === null || value === undefined) continue;
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (key === "class") node.className = value;
      else if (["checked", "value", "hidden"].includes(key)) node[key] = value;
      else node.setAttribute(key, value === true ? "" : String(value));
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  }

  const number = (value, digits = 2) =>
    value === null || value === undefined ? "–" : value.toFixed(digits);
  const percent = (value) => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
  const title = (card) => (card.name ? `${card.name} (${card.ticker})` : card.ticker);
  const to = (...parts) => `#${parts.map(encodeURIComponent).join("/")}`;
  const link = (text, ...parts) => el("a", { href: to(...parts) }, text);
  const ids = () => [...weights].map(([id, weight]) => `${id}:${weight}`).join(",");

  async function ask(path, parameters = {}) {
    const response = await fetch(`/api/${path}?${new URLSearchParams(parameters)}`);
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer;
  }

  function fail(error) {
    problem.textContent = `${error.message}`;
    problem.hidden = false;
  }

  // Show what `make` gives; of two questions at once only the later one is shown.
  async function show(make) {
    const mine = ++asking;
    main.setAttribute("aria-busy", "true");
    problem.hidden = true;
    try {
      const parts = await make();
      if (mine === asking) {
        main.replaceChildren(...parts.flat());
        document.title = `${main.querySelector("h1")?.textContent ?? "Companies"} – finsae explorer`;
      }
    } catch (error) {
      if (mine === asking) fail(error);
    }
    if (mine === asking) main.setAttribute("aria-busy", "false");
  }

  function table(caption, heads, rows, kind = null) {
    const top = heads.map((head) =>
      el("th", { scope: "col", class: head.number && "number" }, head.text ?? head),
    );
    const body = rows.map((row) => el("tr", {}, row.map((cell, i) =>
      cell instanceof HTMLTableCellElement ? cell
        : el("td", { class: heads[i].number && "number" }, cell))));
    return el("div", { class: "scroll" }, el("table", { class: kind }, caption && el("caption", {}, caption),
      el("thead", {}, el("tr", {}, top)), el("tbody", {}, body)));
  }
  const right = (text) => ({ text, number: true });

  // ---- company ----

  function moved(peer, rank) {
    if (!weights.size) return null;
    if (peer.before === null) return el("span", { class: "new" }, " new");
    const by = peer.before - rank;
    if (!by) return null;
    return el("span", { class: by > 0 ? "up" : "quiet" }, by > 0 ? ` ▲${by}` : ` ▼${-by}`);
  }

  function peerTable(method) {
    const later = state.returns;
    const most = Math.max(...method.peers.map((peer) => peer.similarity), 1e-9);
    const heads = ["", "Peer", right(method.name === "sic" ? "Digits" : "Similarity")];
    if (later) heads.push(right("Later corr."));
    const rows = method.peers.map((peer, i) => {
      const because = (peer.features || []).map((item) => item.label).join("; ");
      const value = number(peer.similarity, method.name === "sic" ? 0 : 2);
      const cells = [
        el("input", {
          type: "checkbox", checked: selected.has(peer.ticker),
          "aria-label": `Show ${peer.ticker} after the cut`,
          "data-select": peer.ticker, onchange: (event) => select(peer.ticker, event.target.checked),
        }),
        el("td", {}, link(peer.ticker, "company", peer.ticker), moved(peer, i + 1), " ",
          link("compare", "compare", company, peer.ticker),
          el("small", {}, peer.name), because && el("small", {}, `by ${because}`)),
        el("td", { class: "number" }, value, bar(peer.similarity / most)),
      ];
      if (later) cells.push(number(peer.later));
      return cells;
    });
    const mean = method.later === null ? [] : [el("p", { class: "quiet" },
      `Mean later correlation with these ${method.peers.length}: ${number(method.later)}`)];
    const gone = method.gone.length
      ? [el("p", { class: "quiet" }, `No longer among them: ${method.gone.map((g) => g.ticker).join(", ")}`)]
      : [];
    return el("section", { class: "panel", "data-method": method.name, "aria-label": `Peers by ${method.label}` },
      method.peers.length ? table(`Peers by ${method.label}`, heads, rows, "second") : el("h3", {}, `Peers by ${method.label}`),
      method.waiting && el("p", { class: "notice" }, `Embedding: ${method.waiting}`),
      method.note && el("p", { class: "quiet" }, method.note), mean, gone);
  }

  function bar(share) {
    const line = el("span", { class: "bar", "aria-hidden": "true" });
    line.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
    return line;
  }

  function featureRows(features) {
    return features.map((feature) => {
      const weight = weights.get(feature.id) ?? 1;
      const name = `${feature.label} #${feature.id}`;
      return [
        el("input", {
          type: "checkbox", checked: weight > 0, "aria-label": `Use ${name}`,
          "data-feature": feature.id,
          onchange: (event) => weigh(feature.id, event.target.checked ? 1 : 0, 0),
        }),
        el("td", {}, el("a", { href: to("feature", feature.id), class: weight ? null : "off" }, feature.label),
          el("small", {}, `in ${feature.companies} companies; ${percent(feature.share)} of this one`)),
        el("td", {}, el("input", {
          type: "range", min: 0, max: 3, step: 0.25, value: weight, "data-weight": feature.id,
          "aria-label": `Weight of ${name}`, "aria-valuetext": `${weight} times`,
          oninput: (event) => weigh(feature.id, Number(event.target.value), WAIT),
        }), el("small", {}, `× ${weight}`)),
      ];
    });
  }

  function weigh(id, weight, wait) {
    if (weight === 1) weights.delete(id);
    else weights.set(id, weight);
    main.setAttribute("aria-busy", "true");
    clearTimeout(timer);
    timer = setTimeout(() => {
      history.replaceState(null, "", weights.size ? `${to("company", company)}?${ids()}` : to("company", company));
      refresh();
    }, wait);
  }

  // Ask again and put back where the reader was.
  async function refresh() {
    const active = document.activeElement;
    const mark = ["feature", "weight", "select"].find((name) => active?.dataset?.[name]);
    const value = mark && active.dataset[mark];
    const scroll = [...document.querySelectorAll(".scroll")].map((part) => part.scrollLeft);
    await show(companyView);
    document.querySelectorAll(".scroll").forEach((part, i) => { part.scrollLeft = scroll[i] ?? 0; });
    if (mark) document.querySelector(`[data-${mark}="${CSS.escape(value)}"]`)?.focus({ preventScroll: true });
  }

  function change(method) {
    if (!weights.size) return "Switch a feature off or weigh it: peers by features move.";
    const fresh = method.peers.filter((peer) => peer.before === null).map((peer) => peer.ticker);
    const off = [...weights.values()].filter((weight) => !weight).length;
    const said = fresh.length ? `new among the peers: ${fresh.join(", ")}` : "the same peers";
    return `${off} features off, ${weights.size - off} weighted: ${said}.`;
  }

  async function companyView() {
    if (!company) return [el("p", {}, "Choose a company above.")];
    const found = await ask("company", { ticker: company, weights: ids() });
    if (![...selected].some((ticker) => ticker === company)) {
      selected = new Set([company, ...found.methods[0].peers.slice(0, 4).map((peer) => peer.ticker)]);
    }
    const side = el("section", { class: "panel", "aria-label": "Features" },
      el("h2", {}, "Its features"),
      el("p", { class: "quiet", id: "change", role: "status" }, change(found.methods[0])),
      el("div", { class: "tools" }, el("button", {
        type: "button", disabled: !weights.size,
        onclick: () => { weights.clear(); history.replaceState(null, "", to("company", company)); refresh(); },
      }, "Reset all")),
      table("", ["Use", "Feature", "Weight"], featureRows(found.features), "second"));
    const facts = [found.industry, found.cluster !== null && found.cluster !== undefined
      ? link(`cluster ${found.cluster}`, "cluster", found.cluster) : null].filter(Boolean);
    return [
      el("h1", {}, title(found)),
      el("p", { class: "quiet" }, facts.flatMap((fact, i) => (i ? [" · ", fact] : [fact]))),
      el("details", {}, el("summary", {}, "Description"), el("p", { class: "text" }, found.description)),
      el("div", { class: "with-side" },
        el("div", {}, el("div", { class: "columns methods" }, found.methods.map(peerTable)),
          el("div", { id: "later" }, await laterPanel())),
        side),
    ];
  }

  // ---- after the cut ----

  async function select(ticker, on) {
    if (on) selected.add(ticker);
    else selected.delete(ticker);
    for (const box of document.querySelectorAll("[data-select]")) {
      box.checked = selected.has(box.dataset.select);
    }
    main.setAttribute("aria-busy", "true");
    try {
      document.getElementById("later").replaceChildren(await laterPanel());
    } catch (error) {
      fail(error);
    }
    main.setAttribute("aria-busy", "false");
  }

  async function laterPanel() {
    const panel = (...parts) => el("section", { class: "panel", "aria-label": "After the cut" },
      el("h2", {}, "What became of the selected after the cut"), parts);
    if (!state.returns) return panel(el("p", { class: "notice" }, `Returns: ${state.waiting?.returns ?? ""}`));
    const tickers = [...selected].slice(0, MOST);
    const found = await ask("later", { tickers: tickers.join(",") });
    const span = `${found.months} months, ${found.first} to ${found.last}`;
    const cells = found.correlation.map((row, i) => [
      el("th", { scope: "row" }, tickers[i]),
      ...row.map((value, j) => el("td", { class: "number" }, i === j ? "" : number(value))),
    ]);
    return panel(
      el("p", { class: "quiet" }, `The company and up to ${MOST - 1} ticked peers. Descriptions were known by ${found.cut}; this is what came later.`),
      chart(found),
      el("ul", { class: "legend" }, tickers.map((ticker, i) => {
        const key = el("span", { class: "key", "aria-hidden": "true" });
        key.style.background = COLOURS[i];
        return el("li", {}, key, ticker);
      })),
      table(`Correlation of monthly returns, ${span}; mean ${number(found.mean)}`,
        ["", ...tickers.map(right)], cells));
  }

  function chart(found) {
    const width = 760, height = 260, left = 44, bottom = 26, top = 10;
    const lines = Object.entries(found.lines);
    const values = lines.flatMap(([, line]) => line);
    if (values.length < 2) return el("p", { class: "quiet" }, "There are no days on which all of them have prices.");
    const low = Math.min(...values), high = Math.max(...values);
    const x = (i) => left + (i / (found.days.length - 1)) * (width - left - 8);
    const y = (value) => top + (1 - (value - low) / (high - low || 1)) * (height - top - bottom);
    const svg = (name, attributes, text) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      if (text !== undefined) node.textContent = text;
      return node;
    };
    const said = lines.map(([name, line]) => `${name} ends at ${line.at(-1).toFixed(0)}`).join(", ");
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img",
      "aria-label": `Prices, ${found.days[0]} = 100: ${said}` });
    const step = [10, 20, 25, 50, 100, 200, 500, 1000, 5000].find((size) => (high - low) / size <= 6) ?? 10000;
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
      root.append(svg("line", { x1: left, x2: width - 8, y1: y(value), y2: y(value), class: "grid" }),
        svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, value));
    }
    let year = "";
    found.days.forEach((day, i) => {
      if (day.slice(0, 4) !== year && x(i) < width - 40 && i) {
        root.append(svg("text", { x: x(i), y: height - 8 }, day.slice(0, 4)));
      }
      year = day.slice(0, 4);
    });
    for (const [name, line] of lines) {
      const points = line.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
      root.append(svg("polyline", { points, class: "line", stroke: COLOURS[found.tickers.indexOf(name)] }));
    }
    return el("figure", {},
      el("figcaption", { class: "quiet" }, `Price without dividends, ${found.days[0]} = 100`), root);
  }

  // ---- compare ----

  function marked(segments, feature) {
    return segments.map(([text, strength, parts]) => {
      const value = feature === null ? strength : parts[feature] ?? 0;
      const grade = MARKS.findIndex((least) => value >= least);
      return grade < 0 ? text : el("mark", { class: `m${3 - grade}` }, text);
    });
  }

  function pairForm(a, b) {
    const field = (id, label, value) => [el("label", { for: id }, label),
      el("input", { id, type: "search", list: "known", value, autocomplete: "off" })];
    return el("form", {
      class: "tools",
      onsubmit: (event) => {
        event.preventDefault();
        const [one, two] = ["pair-a", "pair-b"].map((id) => seek(document.getElementById(id).value));
        if (one && two) location.hash = to("compare", one, two);
        else fail(new Error("No such company: choose one from the list."));
      },
    }, field("pair-a", "First", a), field("pair-b", "Second", b), el("button", {}, "Compare"));
  }

  async function pairView(a, b) {
    const form = pairForm(a ?? company, b ?? "");
    if (!a || !b) return [el("h1", {}, "Compare two companies"), form];
    const found = await ask("pair", { a, b, weights: ids() });
    const texts = el("div", { class: "columns" });
    let chosen = null;
    const draw = () => texts.replaceChildren(...found.texts.map((segments, i) =>
      el("section", { class: "panel", "aria-label": `Text of ${found.cards[i].ticker}` },
        el("h2", {}, link(title(found.cards[i]), "company", found.cards[i].ticker)),
        el("p", { class: "quiet" }, found.cards[i].industry),
        el("p", { class: "text" }, marked(segments, chosen)))));
    const buttons = [];
    const pick = (id, text) => {
      const button = el("button", {
        type: "button", "aria-pressed": String(id === chosen),
        onclick: () => {
          chosen = id;
          for (const [other, item] of buttons) item.setAttribute("aria-pressed", String(other === id));
          draw();
        },
      }, text);
      buttons.push([id, button]);
      return button;
    };
    const rows = found.features.map((item) => [
      el("td", {}, link(item.label, "feature", item.id), el("small", {}, `${item.companies} companies`)),
      number(item.contribution, 3), pick(item.id, "mark"),
    ]);
    const only = (i) => el("section", { class: "panel" },
      el("h3", {}, `Only ${found.cards[i].ticker} has`),
      found.only[i].length
        ? el("ul", { class: "plain" }, found.only[i].map((item) => el("li", {}, link(item.label, "feature", item.id))))
        : el("p", { class: "quiet" }, "Nothing that stands out."));
    const shared = found.features.reduce((sum, item) => sum + item.contribution, 0);
    draw();
    return [
      el("h1", {}, `${found.a} and ${found.b}: similarity ${number(found.similarity, 3)}`),
      form,
      weights.size ? el("p", { class: "notice" }, `${weights.size} features are switched off or weighted here.`) : null,
      el("p", {}, `They share ${found.shared} features; the ${found.features.length} listed carry ${number(shared, 3)} of it.`,
        found.later === null ? "" : ` Correlation of their monthly returns after the cut: ${number(found.later)}.`),
      el("p", { class: "quiet" }, "Marked: the words on which shared features fire, the stronger the more they add."),
      el("p", { class: "tools" }, pick(null, "mark all features")),
      texts,
      el("div", { class: "columns" },
        el("section", { class: "panel" }, table("Shared features", ["Feature", right("Adds"), "In the texts"], rows)),
        el("section", { class: "panel" }, table("Words that make them alike",
          [found.a, found.b, right("Adds")],
          found.words.map((item) => [item.a, item.b, number(item.contribution, 3)]))),
        el("div", {}, only(0), only(1))),
    ].filter(Boolean);
  }

  // ---- features and clusters ----

  function quote(text) {
    return text.split(/\[\[(.+?)\]\]/s).map((part, i) => (i % 2 ? el("mark", { class: "m3" }, part) : part));
  }

  async function featureView(id) {
    const found = await ask("feature", { id });
    const score = found.label_score;
    const told = score === null ? "The label has not been scored (finsae label does)."
      : `Label by ${score.labeller}: ${score.score === null ? "not scored" : `AUC ${number(score.score)} on held-out companies`}.`;
    const weight = weights.get(found.id) ?? 1;
    return [
      el("h1", {}, `${found.label} `, el("span", { class: "quiet" }, `feature ${found.id}`)),
      el("p", {}, `${found.companies} of ${found.of} companies have it, ${found.compared} of them among their strongest; idf ${number(found.idf)}. ${told}`),
      el("p", { class: "tools" }, el("button", {
        type: "button",
        onclick: () => { if (weight) weights.set(found.id, 0); else weights.delete(found.id); route(); },
      }, weight ? "Switch it off everywhere" : "Switch it on again")),
      found.industries.length ? el("p", { class: "quiet" }, `Industries: ${found.industries.map(([name, count]) => `${name || "none"} ${count}`).join("; ")}`) : null,
      el("section", { class: "panel" }, table("Companies that have most of it, and where their text says so",
        ["Company", right("Strength"), "In the text"],
        found.strongest.map((item) => [
          el("td", {}, link(item.ticker, "company", item.ticker), el("small", {}, item.name)),
          number(item.value), el("td", {}, quote(item.evidence))]))),
    ].filter(Boolean);
  }

  async function featuresView() {
    listed ??= await ask("features");
    const results = el("div", { class: "panel" });
    const draw = (words) => {
      const hits = listed.filter(([, label]) => label.toLowerCase().includes(words.toLowerCase()));
      const rows = hits.slice(0, 60).map(([id, label, count]) => [link(label, "feature", id), id, count]);
      results.replaceChildren(
        el("p", { class: "quiet", role: "status" }, `${hits.length} features${hits.length > 60 ? ", the 60 commonest shown" : ""}`),
        table("", ["Label", right("Id"), right("Companies")], rows));
    };
    draw("");
    return [el("h1", {}, "Features"),
      el("p", { class: "tools" }, el("label", { for: "label" }, "Label contains"),
        el("input", { id: "label", type: "search", oninput: (event) => draw(event.target.value.trim()) })),
      results];
  }

  async function clustersView() {
    const found = await ask("clusters");
    if (found.waiting) return [el("h1", {}, "Clusters"), el("p", { class: "notice" }, `Clusters: ${found.waiting}`)];
    const results = el("div", { class: "panel clusters" });
    const draw = (words) => {
      const hits = found.clusters.filter((item) => JSON.stringify([item.name, item.industries, item.members]).toLowerCase().includes(words.toLowerCase()));
      results.replaceChildren(table(`${hits.length} clusters of two or more`, ["Cluster", right("Companies"), "Typical features", "Industries"],
        hits.map((item) => [link(String(item.label), "cluster", item.label), item.size,
          el("td", {}, item.name, el("small", {}, item.members.join(", "), item.size > item.members.length ? ", …" : "")),
          item.industries.map(([name, count]) => `${name} ${count}`).join("; ")])));
    };
    draw("");
    return [el("h1", {}, "Clusters"),
      el("p", { class: "quiet" }, "Average linkage of the features, as many clusters as there are SIC codes."),
      el("p", { class: "tools" }, el("label", { for: "words" }, "Features, industry or ticker"),
        el("input", { id: "words", type: "search", oninput: (event) => draw(event.target.value.trim()) })),
      results];
  }

  async function clusterView(label) {
    const found = await ask("cluster", { label });
    const members = (rows, caption) => el("section", { class: "panel" }, table(caption, ["Company", "Industry", right("Similarity")],
      rows.map((item) => [el("td", {}, link(item.ticker, "company", item.ticker), el("small", {}, item.name)),
        item.industry, number(item.similarity)])));
    return [
      el("h1", {}, `Cluster ${found.label}`, found.name ? `: ${found.name}` : ""),
      el("p", {}, `${found.members.length} companies.`,
        found.later === null || found.later === undefined ? "" : ` Mean correlation of their monthly returns after the cut: ${number(found.later)}.`, " ",
        link("All clusters", "clusters")),
      el("div", { class: "columns" },
        members(found.members, "Members, by mean similarity with the others"),
        el("section", { class: "panel" }, table("What they share", ["Feature", right("Members"), right("Others")],
          found.features.map((item) => [link(item.label, "feature", item.id), percent(item.inside), percent(item.outside)]))),
        members(found.outsiders, "Nearest companies outside")),
    ];
  }

  // ---- where we are ----

  function seek(text) {
    const words = text.trim().toLowerCase();
    if (!words) return undefined;
    const all = [...known];
    const tests = [
      ([ticker]) => ticker.toLowerCase() === words,
      ([, [name]]) => name.toLowerCase() === words,
      ([, [name]]) => name.toLowerCase().startsWith(words),
      ([, [name]]) => name.toLowerCase().includes(words),
    ];
    return tests.map((test) => all.find(test)).find(Boolean)?.[0];
  }

  function route(event) {
    const [path, kept] = location.hash.slice(1).split("?");
    const [view = "", ...rest] = path.split("/").map(decodeURIComponent);
    if (view === "main") return;
    if (event) { // a new view begins at its top, for the eye and for a screen reader
      scrollTo(0, 0);
      main.focus({ preventScroll: true });
    }
    if (kept === undefined && weights.size && rest.length) {
      history.replaceState(null, "", `#${path}?${ids()}`);
    } else if (kept !== undefined) {
      weights.clear();
      for (const part of kept.split(",")) {
        const [id, weight] = part.split(":").map(Number);
        if (Number.isInteger(id) && weight >= 0) weights.set(id, weight);
      }
    }
    const current = { company: "company", compare: "compare", feature: "features", features: "features", clusters: "clusters", cluster: "clusters" }[view] ?? "company";
    for (const item of document.querySelectorAll("nav a")) {
      if (item.dataset.view === current) item.setAttribute("aria-current", "page");
      else item.removeAttribute("aria-current");
    }
    const views = {
      compare: () => pairView(...rest), feature: () => featureView(rest[0]), features: featuresView,
      clusters: clustersView, cluster: () => clusterView(rest[0]),
    };
    if (views[view]) { show(views[view]); return; }
    if (rest[0] && rest[0] !== company) { company = rest[0]; selected = new Set(); }
    show(companyView);
  }

  function describe() {
    const parts = [state.source, `${state.companies} companies`, `${state.features} features (${state.method})`,
      state.returns && `returns after ${state.returns.cut}: ${state.returns.months} months`];
    const busy = Object.entries(state.waiting).filter(([, why]) => why === "is being made").map(([name]) => name);
    if (busy.length) parts.push(`${busy.join(", ")} being made…`);
    document.getElementById("facts").textContent = parts.filter(Boolean).join(" · ");
    return busy.length;
  }

  async function watch() {
    const before = JSON.stringify(state.waiting);
    state = await ask("state");
    const busy = describe();
    const changed = before !== JSON.stringify(state.waiting);
    if (changed && /^(#company|$)/.test(location.hash)) refresh();
    else if (changed && location.hash.startsWith("#cluster")) route();
    if (busy) setTimeout(() => watch().catch(fail), 700);
  }

  async function begin() {
    state = await ask("state");
    describe();
    const companies = await ask("companies");
    for (const [ticker, name, industry] of companies) known.set(ticker, [name, industry]);
    document.getElementById("known").append(
      ...companies.map(([ticker, name]) => el("option", { value: ticker }, name)));
    company = companies[0]?.[0] ?? "";
    addEventListener("hashchange", route);
    document.getElementById("go").addEventListener("submit", (event) => {
      event.preventDefault();
      const hit = seek(document.getElementById("find").value);
      if (hit) location.hash = to("company", hit);
      else fail(new Error("No such company: choose one from the list."));
    });
    route();
    watch().catch(fail);
  }

  begin().catch(fail);
})();
