// A picture larger and with its name: where there is no pointer that can rest on it, nothing else tells the name.
(() => {
  "use strict";
  const card = document.getElementById("large");
  if (!card) return;
  const picture = card.querySelector(".p"), name = card.querySelector("bdi");
  let shown = null;

  const hide = () => {
    shown = null;
    card.hidden = true;
  };
  const show = (chosen) => {
    shown = chosen;
    for (const place of ["--c", "--r"]) picture.style.setProperty(place, chosen.style.getPropertyValue(place));
    name.textContent = chosen.title;
    card.hidden = false;
    const box = chosen.getBoundingClientRect(), widest = document.documentElement.clientWidth;
    const left = Math.min(Math.max(8, box.left + box.width / 2 - card.offsetWidth / 2), widest - card.offsetWidth - 8);
    const above = box.top - card.offsetHeight - 8;
    card.style.left = left + scrollX + "px";
    card.style.top = (above < 8 ? box.bottom + 8 : above) + scrollY + "px";
  };
  addEventListener("click", (event) => {
    const chosen = event.target.closest(".pictures .p");
    if (chosen && chosen !== shown) show(chosen); else hide();
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
})();
