"use strict";
(() => {
  const $ = (s, of = document) => of.querySelector(s), all = (s, of = document) => [...of.querySelectorAll(s)];
  document.documentElement.classList.add("js");

  // A link into a closed part opens it.
  const reveal = () => {
    const aim = location.hash && document.getElementById(location.hash.slice(1));
    if (!aim) return;
    if (aim.tagName === "DETAILS") aim.open = true;
    aim.hidden = false;
    aim.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
  addEventListener("beforeprint", () => all("details:not(.whole)").forEach(d => d.open = true));

  // Changes: open, close, only those with a text.
  all("[data-all]").forEach(b => b.onclick = () => all("details.group").forEach(d => d.open = b.dataset.all === "open"));
  const grep = $("#grep");
  if (grep) grep.oninput = () => {
    const text = grep.value.trim().toLowerCase(), groups = all("details.group");
    groups.forEach(g => g.hidden = !g.textContent.toLowerCase().includes(text));
    $("#grep-count").textContent = text ? groups.filter(g => !g.hidden).length + " of " + groups.length : "";
  };

  // The plan: only steps with a hazard.
  const filter = kind => {
    const steps = all(".step");
    steps.forEach(s => s.hidden = kind !== "" && !s.dataset.hazards.split(" ").includes(kind));
    all(".transaction").forEach(t => t.hidden = all(".step", t).every(s => s.hidden));
    all("[data-filter]").forEach(b => b.setAttribute("aria-pressed", b.dataset.filter === kind));
    $("#filter-count").textContent = kind ? steps.filter(s => !s.hidden).length + " of " + steps.length : "";
  };
  all("[data-filter]").forEach(b => b.onclick = () => filter(b.dataset.filter));
  all("[data-hazard]").forEach(a => a.addEventListener("click", () => filter(a.dataset.hazard)));

  // Copying; without the clipboard (an old browser, a page from disk) the text is selected.
  all(".copy").forEach(b => b.onclick = async () => {
    const code = $("code", b.closest(".step, .whole"));
    try { await navigator.clipboard.writeText(code.textContent); b.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(code); b.textContent = "Selected"; }
    setTimeout(() => b.textContent = "Copy", 1500);
  });
  const save = $("#save");
  if (save) save.onclick = () => {
    const a = document.createElement("a");
    a.href = URL.createObjectURL(new Blob([$("#whole").textContent], { type: "application/sql" }));
    a.download = "plan.sql";
    a.click();
    URL.revokeObjectURL(a.href);
  };

  // The picture.
  const stage = $("#stage"), scenes = all(".scene");
  if (!stage) return;
  const views = new Map();
  // SVG elements have the attribute `hidden`, but no property of that name.
  const current = () => scenes.find(s => !s.hasAttribute("hidden"));
  const show = svg => { const v = views.get(svg); svg.setAttribute("viewBox", [v.x, v.y, v.w, v.h].map(n => n.toFixed(1)).join(" ")); };
  const limit = (n, low, high) => Math.max(low, Math.min(high, n));
  // The whole, with letters no larger than those of the page.
  const fit = svg => {
    const W = +svg.dataset.w, H = +svg.dataset.h, width = svg.getBoundingClientRect().width;
    if (!width) return;
    svg.style.height = limit(H * Math.min(width / W, 1.15), 200, Math.max(innerHeight * .8, 400)) + "px";
    const box = svg.getBoundingClientRect(), scale = Math.min(box.width / W, box.height / H, 1.15);
    const v = { w: box.width / scale, h: box.height / scale };
    views.set(svg, Object.assign(v, { x: (W - v.w) / 2, y: (H - v.h) / 2 }));
    show(svg);
  };
  const zoom = (svg, factor, cx, cy) => {
    const v = views.get(svg), box = svg.getBoundingClientRect();
    const w = limit(v.w / factor, box.width / 4, Math.max(+svg.dataset.w, box.width) * 2), f = w / v.w;
    const px = cx === undefined ? .5 : (cx - box.left) / box.width, py = cy === undefined ? .5 : (cy - box.top) / box.height;
    v.chosen = true; v.x += v.w * px * (1 - f); v.y += v.h * py * (1 - f); v.w *= f; v.h *= f;
    show(svg);
  };
  const move = (svg, dx, dy) => { const v = views.get(svg), k = v.w / svg.getBoundingClientRect().width; v.chosen = true; v.x += dx * k; v.y += dy * k; show(svg); };

  // What is near one table stands out while the pointer or the focus is on it.
  const light = (svg, table) => {
    svg.classList.toggle("lit", table !== null);
    if (table === null) return;
    const near = new Set([table]);
    all(".line", svg).forEach(l => {
      const on = l.dataset.f === table || l.dataset.t === table;
      l.classList.toggle("on", on);
      if (on) near.add(l.dataset.f).add(l.dataset.t);
    });
    all(".box", svg).forEach(b => b.classList.toggle("on", near.has(b.dataset.i)));
  };
  const lightLine = (svg, line) => {
    svg.classList.add("lit");
    all(".line", svg).forEach(l => l.classList.toggle("on", l === line));
    all(".box", svg).forEach(b => b.classList.toggle("on", b.dataset.i === line.dataset.f || b.dataset.i === line.dataset.t));
  };

  const name = box => $("title", box).textContent;
  for (const svg of scenes) {
    let held = null, moved = 0;
    svg.addEventListener("pointerdown", e => { if (e.button === 0) { held = [e.clientX, e.clientY]; moved = 0; } });
    svg.addEventListener("pointermove", e => {
      if (!held) return;
      const dx = held[0] - e.clientX, dy = held[1] - e.clientY;
      moved += Math.abs(dx) + Math.abs(dy);
      if (moved > 4 && !svg.hasPointerCapture(e.pointerId)) { svg.setPointerCapture(e.pointerId); svg.classList.add("held"); }
      held = [e.clientX, e.clientY];
      move(svg, dx, dy);
    });
    const drop = () => { held = null; svg.classList.remove("held"); };
    svg.addEventListener("pointerup", drop);
    svg.addEventListener("pointercancel", drop);
    svg.addEventListener("click", e => { if (moved > 4) e.preventDefault(); }, true);
    svg.addEventListener("dragstart", e => e.preventDefault());
    // The wheel scrolls the page; with Ctrl, or in the full window, it zooms.
    svg.addEventListener("wheel", e => {
      if (!e.ctrlKey && !e.metaKey && !stage.classList.contains("wide")) return;
      e.preventDefault();
      zoom(svg, Math.exp(-e.deltaY / 400), e.clientX, e.clientY);
    }, { passive: false });
    svg.addEventListener("dblclick", e => zoom(svg, 1.6, e.clientX, e.clientY));
    svg.addEventListener("keydown", e => {
      const step = 60, go = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[e.key];
      if (go) move(svg, ...go);
      else if (e.key === "+" || e.key === "=") zoom(svg, 1.25);
      else if (e.key === "-") zoom(svg, .8);
      else if (e.key === "0") fit(svg);
      else return;
      e.preventDefault();
    });
    const lit = e => {
      if (svg.classList.contains("held")) return;
      const box = e.target.closest(".box") || $(".box", e.target.closest("a") || document.createElement("a")), line = e.target.closest(".line");
      if (box) light(svg, box.dataset.i); else if (line) lightLine(svg, line); else light(svg, null);
    };
    svg.addEventListener("pointerover", lit);
    svg.addEventListener("focusin", lit);
    svg.addEventListener("pointerleave", () => light(svg, null));
    svg.addEventListener("focusout", () => light(svg, null));
  }
  const choose = wanted => {
    scenes.forEach(s => s.toggleAttribute("hidden", s.dataset.scene !== wanted));
    all("button[data-scene]").forEach(b => b.setAttribute("aria-pressed", b.dataset.scene === wanted));
    if (!views.has(current())) fit(current());
  };
  all("button[data-scene]").forEach(b => b.onclick = () => choose(b.dataset.scene));
  all("[data-zoom]").forEach(b => b.onclick = () => +b.dataset.zoom ? zoom(current(), +b.dataset.zoom > 0 ? 1.3 : 1 / 1.3) : fit(current()));
  const full = $("#full");
  const widen = on => { stage.classList.toggle("wide", on); full.setAttribute("aria-pressed", on); scenes.forEach(s => { views.delete(s); fit(s); }); };
  full.onclick = () => widen(!stage.classList.contains("wide"));
  addEventListener("keydown", e => { if (e.key === "Escape" && stage.classList.contains("wide")) widen(false); });

  // Finding a table: in the scene that is shown, else in that of all tables.
  const find = $("#find"), last = scenes[scenes.length - 1];
  $("#names").append(...all(".box", last).map(b => Object.assign(document.createElement("option"), { value: name(b) })));
  find.oninput = () => {
    all(".found").forEach(b => b.classList.remove("found"));
    const text = find.value.trim().toLowerCase();
    if (!text) return;
    const hit = svg => { const boxes = all(".box", svg); return boxes.find(b => name(b).toLowerCase() === text) || boxes.find(b => name(b).toLowerCase().includes(text)); };
    if (!hit(current()) && hit(last)) choose(last.dataset.scene);
    const box = hit(current());
    if (!box) return;
    const svg = current(), v = views.get(svg), view = svg.getBoundingClientRect();
    box.classList.add("found");
    const scale = Math.max(view.width / v.w, .8);
    v.chosen = true; v.w = view.width / scale; v.h = view.height / scale;
    v.x = +box.dataset.x + box.dataset.w / 2 - v.w / 2; v.y = +box.dataset.y + box.dataset.h / 2 - v.h / 2;
    show(svg);
  };
  scenes.forEach(fit);
  // What somebody has looked up stays where it is.
  addEventListener("resize", () => scenes.forEach(s => { if (!(views.get(s) || {}).chosen) { views.delete(s); fit(s); } }));
})();
