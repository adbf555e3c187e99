// Nothing here is needed: every page works without. It copies, zooms and answers in place, and moves with the keyboard.
"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Copy buttons.
function offerCopies(within) {
  for (const button of all(".copy", within)) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
}

async function fetched(url) {
  const answer = await fetch(url, { headers: { Accept: "text/html" } });
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// A question is answered below its form.
function answerInPlace(form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const place = document.querySelector("[data-answer]");
    const button = form.querySelector("button.go");
    button.disabled = true;
    try {
      const page = await fetched(`${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
      place.replaceChildren(...page.querySelector("[data-answer]").childNodes);
      offerCopies(place);
      place.scrollIntoView({ block: "nearest" });
    } catch {
      form.submit();
    } finally {
      button.disabled = false;
    }
  });
}

// A map zooms where it stands, and its address says where it is: "#map=" and the page of that folder.
async function zoom(map, url) {
  if (map.dataset.shows === url) return;
  const hadFocus = map.contains(document.activeElement);
  map.classList.add("loading");
  const other = (await fetched(url)).querySelector("[data-map]");
  if (!other) { location.href = url; return; }
  map.dataset.shows = url;
  map.replaceChildren(...other.childNodes);
  map.classList.remove("loading");
  if (hadFocus) map.querySelector("a")?.focus();
  moveWithArrows(map);
}

const isFolder = (url) => /^\/repositories\/.*\/-\/tree(\/|\?|$)/.test(url);

function folderInAddress() {
  const hash = /^#map=(.*)$/.exec(location.hash);
  try {
    const url = hash && decodeURIComponent(hash[1]);
    return url && isFolder(url) ? url : null;
  } catch {
    return null;
  }
}

function zoomInPlace(map) {
  const whole = map.dataset.zooms;
  map.dataset.shows = whole;
  map.addEventListener("click", (event) => {
    const url = event.target.closest("a")?.getAttribute("href");
    if (!url || !isFolder(url) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState(null, "", url === whole ? location.pathname : `#map=${encodeURIComponent(url)}`);
    zoom(map, url);
  });
  addEventListener("popstate", () => zoom(map, folderInAddress() ?? whole));
  zoom(map, folderInAddress() ?? whole);
}

// In a map the arrow keys lead to the nearest cell in their direction.
function moveWithArrows(map) {
  const picture = map.querySelector(".treemap");
  if (!picture) return;
  const cells = all("a", picture);
  picture.onkeydown = (event) => {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const from = event.target.closest("a");
    if (!direction || !from) return;
    event.preventDefault();
    const middle = (cell) => { const box = cell.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; };
    const [x, y] = middle(from);
    let best = null, least = Infinity;
    for (const cell of cells) {
      const [dx, dy] = middle(cell).map((value, at) => value - [x, y][at]);
      const along = dx * direction[0] + dy * direction[1];
      const aside = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
      if (along > 1 && along + 2 * aside < least) { best = cell; least = along + 2 * aside; }
    }
    best?.focus();
  };
}

// In a graph a module lights up with its arrows and neighbours.
function lightUp(graph) {
  const frame = graph.parentElement;
  frame.scrollLeft = (frame.scrollWidth - frame.clientWidth) / 2;
  const arrows = all(".arrows path", graph), boxes = all("[data-node]", graph);
  const show = (node) => {
    const near = new Set([node]);
    for (const arrow of arrows) {
      const isNear = arrow.dataset.from === node || arrow.dataset.to === node;
      if (isNear) near.add(arrow.dataset.from).add(arrow.dataset.to);
      arrow.classList.toggle("lit", node !== null && isNear);
      arrow.classList.toggle("dim", node !== null && !isNear);
    }
    for (const box of boxes) box.classList.toggle("dim", node !== null && !near.has(box.dataset.node));
  };
  for (const box of boxes) {
    for (const event of ["pointerenter", "focus"]) box.addEventListener(event, () => show(box.dataset.node));
    for (const event of ["pointerleave", "blur"]) box.addEventListener(event, () => show(null));
  }
}

offerCopies(document);
all("form[data-try]").forEach(answerInPlace);
all("[data-map]").forEach(moveWithArrows);
all("[data-zooms]").forEach(zoomInPlace);
all("[data-graph]").forEach(lightUp);
