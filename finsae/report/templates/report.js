"use strict";
(async () => {
  const [library, content] = await Promise.all([unpacked("plotly"), unpacked("report-data")]);
  const script = document.createElement("script");
  script.textContent = library;
  document.head.append(script); // runs at once
  const data = JSON.parse(content);
  const narrow = matchMedia("(max-width: 640px)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = {};
  const drawn = new Set();
  let printing = false;
  const config = {
    displaylogo: false,
    responsive: true,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // A title of an axis in lines that fit under a narrow figure.
  const wrapped = (text) => text.replace(/(.{1,24})(?: |$)/g, "$1<br>").replace(/<br>$/, "");

  function themed(layout) {
    const page = structuredClone(layout);
    Object.assign(page, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" });
    page.font.color = colour("--ink");
    page.hoverlabel = { bgcolor: colour("--panel"), font: { color: colour("--ink") }, align: "left" };
    page.modebar = { bgcolor: "rgba(0,0,0,0)", color: colour("--muted"), activecolor: colour("--accent") };
    for (const [name, axis] of Object.entries(page)) {
      if (!/^[xy]axis/.test(name)) continue;
      Object.assign(axis, { gridcolor: colour("--rule"), zerolinecolor: colour("--muted") });
    }
    if ((narrow.matches || printing) && page.showlegend) {
      const below = page.xaxis.type === "category" ? -0.4 : -0.14; // names may stand upright there
      Object.assign(page.legend, { orientation: "h", x: 0, y: below });
      page.height += 150;
    }
    if (printing) page.width = 660;
    if (narrow.matches) {
      for (const name of ["xaxis", "xaxis2"]) if (page[name]?.title) page[name].title.text = wrapped(page[name].title.text);
      page.dragmode = false;
      page.margin.t = 6;
    }
    return page;
  }

  function draw(plot) {
    const name = plot.dataset.figure;
    const spec = data.figures[name][chosen[name] || 0];
    const figure = plot.closest("figure");
    figure.querySelector("h3").textContent = spec.title;
    figure.querySelector("figcaption").textContent = spec.reading;
    plot.setAttribute("aria-label", spec.alt);
    const bar = { ...config, displayModeBar: narrow.matches ? false : "hover" };
    const traces = structuredClone(spec.data);
    for (const trace of traces) if (Number.isInteger(trace.x)) trace.x = data.days[trace.x];
    Plotly.react(plot, traces, themed(spec.layout), bar);
    if (!drawn.has(plot)) plot.on("plotly_click", (event) => found(event.points[0].customdata));
    drawn.add(plot);
  }

  function found(ticker) {
    const company = data.companies.find((one) => one.ticker === ticker);
    if (company) show(company);
  }

  function drawAll() {
    drawn.forEach(draw);
    show(data.companies.find((company) => company.ticker === chosen.company));
  }

  function seek(text) {
    const words = text.trim().toLowerCase();
    if (!words) return undefined;
    const tests = [
      (company) => company.ticker.toLowerCase() === words,
      (company) => company.name.toLowerCase() === words,
      (company) => company.name.toLowerCase().startsWith(words),
      (company) => company.name.toLowerCase().includes(words),
    ];
    return tests.map((test) => data.companies.find(test)).find(Boolean);
  }

  function line(term, text) {
    const row = document.createElement("div");
    const head = document.createElement("b");
    head.textContent = term + " ";
    row.append(head, text);
    return row;
  }

  function show(company) {
    const card = document.getElementById("card");
    const plot = document.querySelector('[data-figure="companies"]');
    if (!card || !plot) return;
    if (company && !drawn.has(plot)) draw(plot);
    if (!drawn.has(plot)) return;
    chosen.company = company && company.ticker;
    card.hidden = !company;
    card.replaceChildren();
    const ring = plot.data.length - 1;
    const hit = company
      ? { x: [[company.x]], y: [[company.y]], text: [[company.ticker]] }
      : { x: [[]], y: [[]], text: [[]] };
    Plotly.restyle(plot, hit, [ring]);
    if (!company) return;
    const name = document.createElement("strong");
    name.textContent = `${company.name} (${company.ticker})`;
    card.append(name, line("Industry", company.industry), line("Cluster", company.cluster));
    if (company.features.length) card.append(line("Top features", company.features.join("; ")));
    if (company.peers.length) card.append(line("Nearest", company.peers.join(", ")));
    if (company.text) card.append(line("Description", company.text));
  }

  function save(name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([data.tables[name]], { type: "text/csv" }));
    link.download = `finsae-${name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function choose(button) {
    chosen[button.dataset.show] = Number(button.dataset.choice);
    for (const other of button.parentElement.children) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    draw(document.querySelector(`[data-figure="${button.dataset.show}"]`));
    show(data.companies.find((company) => company.ticker === chosen.company));
  }

  document.addEventListener("click", (event) => {
    if (event.target.dataset.csv) save(event.target.dataset.csv);
    if (event.target.dataset.show) choose(event.target);
  });
  const find = document.getElementById("find");
  if (find) {
    find.addEventListener("input", () => show(seek(find.value)));
    document.getElementById("search").addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("found").append(
      ...data.companies.map((company) => new Option(company.name, company.ticker)),
    );
  }
  const folded = document.querySelectorAll("details");
  addEventListener("beforeprint", () => {
    printing = true;
    document.documentElement.classList.add("light");
    folded.forEach((part) => { part.open = true; });
    document.querySelectorAll(".plot").forEach(draw);
    drawAll();
  });
  addEventListener("afterprint", () => {
    printing = false;
    document.documentElement.classList.remove("light");
    drawAll();
  });
  narrow.addEventListener("change", drawAll);
  dark.addEventListener("change", drawAll);
  for (const plot of document.querySelectorAll(".plot")) {
    if (!drawn.has(plot)) draw(plot);
    await new Promise((next) => setTimeout(next)); // the page can be used while figures are drawn
  }
  document.documentElement.dataset.ready = "yes";
  document.dispatchEvent(new Event("drawn"));
})();
