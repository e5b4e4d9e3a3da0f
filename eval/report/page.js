"use strict";
(() => {
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const tip = document.getElementById("tip");

  // Points: a tip in place of the browser's slow one, and the other curves step back.
  for (const point of all(".pt")) {
    const title = point.querySelector("title");
    const text = title.textContent;
    point.setAttribute("aria-label", text);
    title.remove();
    const show = () => {
      tip.textContent = text;
      const box = point.getBoundingClientRect();
      const x = box.left + box.width / 2 - tip.offsetWidth / 2;
      const above = box.top - tip.offsetHeight - 8;
      tip.style.left = Math.max(6, Math.min(x, innerWidth - tip.offsetWidth - 6)) + "px";
      tip.style.top = (above < 4 ? box.bottom + 8 : above) + "px";
      tip.style.opacity = 1;
      heat(point.closest(".series").dataset.codec);
    };
    point.addEventListener("pointerenter", show);
    point.addEventListener("click", show);
    point.addEventListener("pointerleave", () => { tip.style.opacity = 0; heat(null); });
  }
  addEventListener("scroll", () => { tip.style.opacity = 0; }, { passive: true });

  function heat(codec) {
    for (const chart of all("svg.chart")) chart.classList.toggle("dim", codec !== null);
    for (const series of all(".series")) series.classList.toggle("hot", series.dataset.codec === codec);
  }

  for (const button of all(".legend button")) {
    const codec = button.dataset.codec;
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", on);
      for (const series of all(".charts .series, #more .series"))
        if (series.dataset.codec === codec) series.classList.toggle("hidden", !on);
      heat(null);
    });
    button.addEventListener("pointerenter", () => {
      if (button.getAttribute("aria-pressed") === "true") heat(codec);
    });
    button.addEventListener("pointerleave", () => heat(null));
  }

  const choice = document.getElementById("metric");
  if (choice) {
    const pick = () => {
      for (const figure of all("#more figure"))
        figure.classList.toggle("on", figure.dataset.metric === choice.value);
    };
    choice.addEventListener("change", pick);
    pick();
  }

  const tabs = all(".rates button");
  const open = (target) => {
    for (const tab of tabs) tab.setAttribute("aria-selected", tab.dataset.target === target);
    for (const part of all(".at")) part.classList.toggle("on", part.dataset.target === target);
  };
  for (const tab of tabs) tab.addEventListener("click", () => open(tab.dataset.target));
  if (tabs.length) open(tabs[Math.floor((tabs.length - 1) / 2)].dataset.target);

  // Press and hold a picture: the true frame in its place.
  for (const strip of all(".strip")) {
    const [truth, ...rest] = all("img", strip);
    if (!truth || truth.alt !== "truth") continue;
    for (const image of rest) {
      const own = image.src;
      image.addEventListener("pointerdown", () => { image.src = truth.src; });
      for (const end of ["pointerup", "pointerleave", "pointercancel"])
        image.addEventListener(end, () => { image.src = own; });
      image.addEventListener("contextmenu", (event) => event.preventDefault());
    }
  }

  addEventListener("beforeprint", () => {
    for (const part of all("details")) { part.dataset.was = part.open; part.open = true; }
  });
  addEventListener("afterprint", () => {
    for (const part of all("details")) part.open = part.dataset.was === "true";
  });
})();
