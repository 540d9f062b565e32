"use strict";
// Comfort on the case page: light up what belongs together, zoom, keys, marking words, dragging pages. Reading,
// correcting and everything else works without script, too.
(() => {
  const packet = document.getElementById("packet");
  if (!packet) return;
  const target = (link) => document.getElementById(decodeURIComponent(link.getAttribute("href").slice(1)));

  // ---- what a row shows lights up on the pages, and the other way round
  const light = (event) => {
    for (const lit of document.querySelectorAll(".glow")) lit.classList.remove("glow");
    const at = event.target.closest?.(".row, .mark");
    if (!at) return;
    at.classList.add("glow");
    const links = at.matches("a") ? [at] : [...at.querySelectorAll("a.place")];
    for (const link of links) target(link)?.closest(".row, .mark")?.classList.add("glow");
  };
  document.addEventListener("mouseover", light);
  document.addEventListener("focusin", light);

  // ---- zoom: of the panel's width, as wide as the panel, or as high
  const steps = [0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3];
  const inSight = () => [...document.querySelectorAll(".paper")].find((paper) => paper.getBoundingClientRect().bottom > packet.getBoundingClientRect().top + 80);
  const scaleTo = (width) => {
    const before = inSight();
    packet.style.setProperty("--w", `${Math.round(width)}px`);
    packet.style.setProperty("--most", "none");
    before?.closest(".page").scrollIntoView({ block: "start", behavior: "instant" });
  };
  const room = () => packet.clientWidth - 32;
  const widthNow = () => (document.querySelector(".page") ?? packet).getBoundingClientRect().width;
  const zoom = {
    in: () => scaleTo(room() * (steps.find((step) => step > widthNow() / room() + 0.02) ?? steps.at(-1))),
    out: () => scaleTo(room() * (steps.findLast((step) => step < widthNow() / room() - 0.02) ?? steps[0])),
    width: () => scaleTo(room()),
    height: () => {
      const paper = inSight();
      if (paper) scaleTo(((packet.clientHeight - 100) * paper.dataset.width) / paper.dataset.height);
    },
  };

  // ---- turning a page
  const turnTo = (paper, turned) => {
    paper.dataset.turned = turned;
    paper.classList.remove("turned1", "turned2", "turned3");
    if (turned) paper.classList.add(`turned${turned}`);
    const { width, height } = paper.dataset;
    paper.parentElement.style.aspectRatio = turned % 2 ? `${height} / ${width}` : "";
    paper.style.width = turned % 2 ? `${(100 * width) / height}%` : "";
  };
  const turn = () => {
    const paper = inSight();
    if (paper) turnTo(paper, (Number(paper.dataset.turned || 0) + 1) % 4);
  };
  packet.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.zoom) zoom[button.dataset.zoom]();
    if (button && "turn" in button.dataset) turn();
  });
  document.getElementById("bare").addEventListener("change", (event) => packet.classList.toggle("bare", event.target.checked));

  // ---- keys: through the answers and the pages
  const through = (chosen, show) => {
    let at = -1;
    return (step) => {
      const all = [...document.querySelectorAll(chosen)].filter((one) => one.getClientRects().length);
      at = Math.min(all.length - 1, Math.max(0, at + step));
      all[at]?.focus({ preventScroll: true });
      if (all[at]) show(all[at]);
    };
  };
  const answer = through("main .row", (row) => {
    row.scrollIntoView({ block: "nearest" });
    const place = row.querySelector("a.place");
    if (place) target(place)?.scrollIntoView({ block: "center" });
  });
  const page = through(".page", (one) => one.scrollIntoView({ block: "start" }));
  const keys = document.getElementById("keys");
  try { keys.checked = localStorage.getItem("keys") !== "off"; } catch { /* as it is */ }
  keys.addEventListener("change", () => { try { localStorage.setItem("keys", keys.checked ? "on" : "off"); } catch { /* for this page */ } });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
    const typing = event.target.closest("input:not([type=checkbox]), select, textarea");
    if (typing || !keys.checked || event.ctrlKey || event.metaKey || event.altKey) return;
    const does = {
      j: () => answer(1), k: () => answer(-1), n: () => page(1), p: () => page(-1),
      "+": zoom.in, "-": zoom.out, 0: zoom.width, r: turn,
    }[event.key];
    if (does) { does(); event.preventDefault(); }
  });

  // ---- marking words: drag over them, or click one corner and then the other; the server says which they are
  let form = null;
  let start = null;
  let rect = null;
  const point = (paper, event) => {
    const box = paper.getBoundingClientRect();
    const share = (value, from, length) => Math.min(1, Math.max(0, (value - from) / length));
    return [share(event.clientX, box.left, box.width) * paper.dataset.width, share(event.clientY, box.top, box.height) * paper.dataset.height];
  };
  const stop = () => { packet.classList.remove("drawing"); start = null; };
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".mark-words")) return;
    form = event.target.closest("form");
    start = null;
    for (const paper of document.querySelectorAll(".paper")) turnTo(paper, 0);
    packet.classList.add("drawing");
    form.querySelector(".quote").textContent = "Drag over the words, or click at both ends of them.";
  });
  packet.addEventListener("pointerdown", (event) => {
    const paper = event.target.closest(".paper");
    if (!packet.classList.contains("drawing") || !paper) return;
    event.preventDefault();
    if (start?.paper === paper) return;  // the second of two clicks
    start = { paper, at: point(paper, event), x: event.clientX, y: event.clientY };
    rect?.remove();
    rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    rect.setAttribute("class", "drawn");
    paper.querySelector("svg").append(rect);
  });
  const area = (event) => {
    const [x, y] = point(start.paper, event);
    return [Math.min(x, start.at[0]), Math.min(y, start.at[1]), Math.max(x, start.at[0]), Math.max(y, start.at[1])];
  };
  packet.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [x0, top, x1, bottom] = area(event);
    for (const [name, value] of Object.entries({ x: x0, y: top, width: x1 - x0, height: bottom - top })) rect.setAttribute(name, value);
  });
  const wordsIn = async (mark) => {
    try {
      const answer = await fetch(form.dataset.words, {
        method: "POST", body: JSON.stringify(mark),
        headers: { "Accept": "application/json", "Content-Type": "application/json", "X-CSRF-Token": form.elements.csrf.value },
      });
      return [answer.ok, await answer.json()];
    } catch {
      return [false, { detail: "The desk does not answer; try again." }];
    }
  };
  packet.addEventListener("pointerup", async (event) => {
    if (!start || Math.abs(event.clientX - start.x) + Math.abs(event.clientY - start.y) < 4) return;
    const mark = { file: Number(start.paper.dataset.file), page: Number(start.paper.dataset.page), area: area(event) };
    stop();
    const own = form; // another may be chosen while the desk looks for the words
    const [ok, said] = await wordsIn(mark);
    own.querySelector(".quote").textContent = ok ? `“${said.quote}”` : said.detail;
    own.elements.marks.value = ok ? JSON.stringify([mark]) : "[]";
    if (ok && own.elements.after.value === "" && own.elements.after.matches("input")) own.elements.after.value = said.quote;
  });

  // ---- the strip: a page dragged to another document, or a document to the one before it; then a form asks why
  const strip = document.getElementById("strip");
  let dragged = null;
  const bundleAt = (event) => (dragged && event.target.closest(".bundle[data-subject]")) || null;
  strip.addEventListener("dragstart", (event) => {
    dragged = event.target.closest("[data-page]");
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.dataset.page);
  });
  strip.addEventListener("dragend", () => {
    dragged = null;
    for (const over of strip.querySelectorAll(".over")) over.classList.remove("over");
  });
  strip.addEventListener("dragover", (event) => {
    const bundle = bundleAt(event);
    for (const over of strip.querySelectorAll(".over")) if (over !== bundle) over.classList.remove("over");
    if (!bundle) return;
    event.preventDefault();
    bundle.classList.add("over");
  });
  strip.addEventListener("drop", (event) => {
    const bundle = bundleAt(event);
    if (!bundle || !strip.dataset.documents) return;
    event.preventDefault();
    const [, file, number] = dragged.dataset.page.split(".");
    const within = dragged.closest(".bundle").dataset.subject === bundle.dataset.subject;
    const does = dragged.matches("h2") ? "merge" : within ? "split" : "move";
    location.href = `${strip.dataset.documents}/${file}/${number}?do=${does}&to=${bundle.dataset.subject}`;
  });
})();
