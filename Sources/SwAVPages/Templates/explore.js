(() => {
  "use strict";
  const wall = document.getElementById("found"), query = document.getElementById("query");
  const asked = document.getElementById("asked"), status = document.getElementById("status");
  const what = document.querySelector("#what bdi"), start = wall.innerHTML;

  const fill = (matches) => {
    wall.replaceChildren(...matches.map((match) => {
      const button = document.createElement("button"), image = document.createElement("img"), note = document.createElement("span");
      button.type = "button";
      button.dataset.number = match.number;
      image.src = "/picture/" + match.number;
      image.alt = image.title = match.name;
      image.width = image.height = 176;
      note.textContent = match.cosine.toFixed(3);
      button.append(image, note);
      return button;
    }));
  };
  const ask = async (request, source, name) => {
    status.textContent = "Looking…";
    try {
      const response = await request;
      if (!response.ok) throw new Error(await response.text());
      fill(await response.json());
      asked.src = source;
      what.textContent = name;
      query.hidden = false;
      status.textContent = "";
      scrollTo({ top: 0, behavior: "smooth" });
    } catch (error) {
      status.textContent = error.message;
    }
  };
  const askAbout = (file) => ask(fetch("/similar", { method: "POST", body: file }), URL.createObjectURL(file), file.name);
  wall.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const number = button.dataset.number;
    ask(fetch("/similar/" + number), "/large/" + number, button.querySelector("img").title);
  });
  document.getElementById("back").addEventListener("click", () => {
    wall.innerHTML = start;
    query.hidden = true;
  });
  document.getElementById("file").addEventListener("change", (event) => {
    if (event.target.files[0]) askAbout(event.target.files[0]);
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) askAbout(event.dataTransfer.files[0]);
  });
})();
