"use strict";
// Comfort on the case page: light up what belongs together, zoom, keys, marking words. Reading, correcting
// and everything else works without script, but for marking.
(() => {
  const packet = document.getElementById("packet");
  if (!packet) return;
  const target = (link) => document.getElementById(link.getAttribute("href").slice(1));

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

  // ---- zoom, turn, marks
  let zoom = 1;
  const zoomTo = (step) => {
    packet.classList.remove(`zoom${zoom}`);
    zoom = Math.min(3, Math.max(0, zoom + step));
    packet.classList.add(`zoom${zoom}`);
  };
  const inSight = () => [...document.querySelectorAll(".paper")].find((paper) => paper.getBoundingClientRect().bottom > 120);
  const turn = () => {
    const paper = inSight();
    if (!paper) return;
    const turned = (Number(paper.dataset.turned || 0) + 1) % 4;
    paper.classList.remove("turned1", "turned2", "turned3");
    if (turned) paper.classList.add(`turned${turned}`);
    paper.dataset.turned = turned;
  };
  packet.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.zoom) zoomTo(button.dataset.zoom === "in" ? 1 : -1);
    if (button && "turn" in button.dataset) turn();
  });
  document.getElementById("bare").addEventListener("change", (event) => packet.classList.toggle("bare", event.target.checked));

  // ---- keys: through the answers
  let at = -1;
  const rows = [...document.querySelectorAll(".row:not(.silent)")];
  const go = (step) => {
    at = Math.min(rows.length - 1, Math.max(0, at + step));
    rows[at]?.focus();
    rows[at]?.scrollIntoView({ block: "nearest" });
    const place = rows[at]?.querySelector("a.place");
    if (place) target(place)?.scrollIntoView({ block: "center" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const does = { j: () => go(1), k: () => go(-1), "+": () => zoomTo(1), "-": () => zoomTo(-1), r: turn }[event.key];
    if (does) { does(); event.preventDefault(); }
  });

  // ---- marking words: drag over them, the server says which they are
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
    for (const paper of document.querySelectorAll(".paper")) { paper.classList.remove("turned1", "turned2", "turned3"); paper.dataset.turned = 0; }
    packet.classList.add("drawing");
    form.querySelector(".quote").textContent = "drag over the words on the page";
  });
  packet.addEventListener("pointerdown", (event) => {
    const paper = event.target.closest(".paper");
    if (!packet.classList.contains("drawing") || !paper) return;
    event.preventDefault();
    start = { paper, at: point(paper, event) };
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
    if (!start) return;
    const mark = { file: Number(start.paper.dataset.file), page: Number(start.paper.dataset.page), area: area(event) };
    stop();
    const [ok, said] = await wordsIn(mark);
    form.querySelector(".quote").textContent = ok ? `“${said.quote}”` : said.detail;
    form.elements.marks.value = ok ? JSON.stringify([mark]) : "[]";
    if (ok && form.elements.after.value === "" && form.elements.after.matches("input")) form.elements.after.value = said.quote;
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") stop(); });
})();
