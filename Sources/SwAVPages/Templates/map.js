(() => {
  "use strict";
  const source = document.getElementById("map-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const plot = document.getElementById("map-plot"), card = document.getElementById("map-card");
  const canvas = document.getElementById("map-pictures"), toggle = document.getElementById("map-toggle");
  const dots = plot.querySelectorAll("circle"), frame = plot.parentElement;
  const [picture, name, note] = [card.querySelector(".p"), card.querySelector("bdi"), card.querySelector(".small")];
  let shown = -1;

  const hide = () => {
    if (shown >= 0) dots[shown].classList.remove("on");
    shown = -1;
    card.hidden = true;
  };
  const show = (i) => {
    if (i === shown) return;
    hide();
    shown = i;
    const [x, y, group, cluster] = data.points[i];
    dots[i].classList.add("on");
    picture.style.setProperty("--c", i % data.columns);
    picture.style.setProperty("--r", Math.floor(i / data.columns));
    name.textContent = data.names[i];
    note.textContent = (data.groups.length ? data.groups[group] + " · " : "") + "cluster " + cluster;
    card.hidden = false;
    const box = frame.getBoundingClientRect(), scale = box.width / data.size;
    const left = Math.min(Math.max(0, x * scale + 14), box.width - card.offsetWidth);
    const above = y * scale - card.offsetHeight - 14;
    card.style.left = left + "px";
    card.style.top = (above < 0 ? y * scale + 14 : above) + "px";
  };
  const nearest = (event) => {
    const box = frame.getBoundingClientRect(), scale = data.size / box.width;
    const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
    let best = -1, least = (28 * scale) ** 2;
    data.points.forEach((p, i) => {
      const d = (p[0] - x) ** 2 + (p[1] - y) ** 2;
      if (d < least) [best, least] = [i, d];
    });
    return best;
  };
  const look = (event) => {
    const i = nearest(event);
    if (i >= 0) show(i); else hide();
  };
  frame.addEventListener("pointermove", look);
  frame.addEventListener("pointerdown", look);
  frame.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      show((shown + step + data.points.length) % data.points.length);
    } else if (event.key === "Escape") hide();
  });

  // The pictures themselves: where two would lie on each other, the first one stays.
  const draw = (sheet) => {
    const box = frame.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(box.width * ratio);
    const pen = canvas.getContext("2d"), scale = canvas.width / data.size;
    const side = Math.max(22, box.width / 30) * ratio, cell = sheet.naturalWidth / data.columns, taken = [];
    const colors = Array.from(dots, (dot) => getComputedStyle(dot).fill);
    data.points.forEach((p, i) => {
      const x = Math.min(Math.max(p[0] * scale - side / 2, 0), canvas.width - side);
      const y = Math.min(Math.max(p[1] * scale - side / 2, 0), canvas.width - side);
      if (taken.some((t) => Math.abs(t[0] - x) < side * 0.86 && Math.abs(t[1] - y) < side * 0.86)) return;
      taken.push([x, y]);
      pen.drawImage(sheet, (i % data.columns) * cell, Math.floor(i / data.columns) * cell, cell, cell, x, y, side, side);
      if (data.colored) {
        pen.strokeStyle = colors[i];
        pen.lineWidth = 2 * ratio;
        pen.strokeRect(x, y, side, side);
      }
    });
  };
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    const on = canvas.hidden;
    canvas.hidden = !on;
    plot.classList.toggle("faded", on);
    toggle.setAttribute("aria-pressed", String(on));
    toggle.textContent = on ? "Show points" : "Show pictures";
    if (!on) return;
    const sheet = new Image();
    sheet.onload = () => draw(sheet);
    sheet.src = getComputedStyle(picture).backgroundImage.slice(5, -2);
  });
})();
