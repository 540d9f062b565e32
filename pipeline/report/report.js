"use strict";
// What a row shows lights up on the pages while the pointer or the focus is on the row, and the other
// way round. Everything else works without script.
(() => {
  const byId = (link) => document.getElementById(link.getAttribute("href").slice(1));
  const light = (event) => {
    for (const lit of document.querySelectorAll(".glow")) lit.classList.remove("glow");
    const at = event.target.closest?.(".row, .mark, .notes p");
    if (!at) return;
    at.classList.add("glow");
    const links = [...at.querySelectorAll("a[href]")];
    if (at.classList.contains("mark")) {
      const note = document.getElementById(links[0].id + "n");
      if (note) links.push(...note.querySelectorAll("a[href]"));
    }
    for (const link of links) byId(link)?.closest(".row, .mark")?.classList.add("glow");
  };
  document.addEventListener("mouseover", light);
  document.addEventListener("focusin", light);
})();
