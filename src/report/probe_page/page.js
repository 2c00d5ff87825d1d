"use strict";
// Written without less-than signs and ampersands, so that the page is also well-formed XML.
(() => {
  const tip = document.getElementById("tip");
  const show = (event, text) => {
    tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const right = document.documentElement.clientWidth - box.width - 8;
    const below = event.clientY + 18;
    const fits = window.innerHeight - box.height - 8 > below;
    tip.style.left = Math.max(8, Math.min(event.clientX + 14, right)) + "px";
    tip.style.top = (fits ? below : Math.max(8, event.clientY - box.height - 12)) + "px";
  };

  for (const figure of document.querySelectorAll(".matrix")) {
    const cells = figure.querySelector(".cells");
    const cursor = figure.querySelector(".cursor");
    const text = figure.closest("section").querySelector(".counts pre");
    let table = null;
    const hide = () => {
      tip.hidden = true;
      cursor.setAttribute("visibility", "hidden");
    };
    const look = (event) => {
      if (table === null) {
        table = text.textContent.split("\n").map((line) => line.split("\t"));
      }
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(cells.getScreenCTM().inverse());
      const row = table[Math.floor(at.y) + 1];
      const said = Math.floor(at.x) + 1;
      if (0 > at.y || 1 > said || row === undefined || row[said] === undefined) {
        hide();
        return;
      }
      const total = row.slice(1).reduce((sum, count) => sum + Number(count), 0);
      const share = total > 0 ? " of " + total + " (" + (100 * Number(row[said]) / total).toFixed(1) + " %)" : "; no example";
      cursor.setAttribute("x", said - 1);
      cursor.setAttribute("y", Math.floor(at.y));
      cursor.setAttribute("visibility", "visible");
      show(event, "true: " + row[0] + "\npredicted: " + table[0][said] + "\n" + row[said] + share);
    };
    cells.addEventListener("pointermove", look);
    cells.addEventListener("pointerdown", look);
    cells.addEventListener("pointerleave", hide);
  }

  for (const map of document.querySelectorAll(".map")) {
    const keys = [...map.querySelectorAll("button")];
    const marks = [...map.querySelectorAll("[data-class]")];
    map.addEventListener("click", (event) => {
      const chosen = event.target.closest("button");
      if (chosen === null) {
        return;
      }
      const single = chosen.getAttribute("aria-pressed") !== "true";
      map.classList.toggle("single", single);
      for (const key of keys) {
        key.setAttribute("aria-pressed", single ? key === chosen : false);
      }
      for (const mark of marks) {
        mark.classList.toggle("on", single ? mark.dataset.class === chosen.value : false);
      }
    });
  }
})();
