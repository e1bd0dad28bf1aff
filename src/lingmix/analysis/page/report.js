// Draws each figure in place of its still image and lets the controls of a set choose what its
// figures show. Vega's expressions are interpreted, so that no policy need allow `eval`.
const options = {
  ast: true,
  renderer: "svg",
  actions: { export: true, source: false, compiled: false, editor: false },
};

async function draw(figure) {
  const still = figure.querySelector("img");
  const place = document.createElement("div");
  still.after(place);
  const specification = JSON.parse(figure.querySelector("script").textContent);
  const { view } = await vegaEmbed(place, specification, options);
  still.remove();
  return { view, names: specification.params.map((parameter) => parameter.name) };
}

async function show(section) {
  const drawn = await Promise.all([...section.querySelectorAll("figure")].map(draw));
  for (const control of section.querySelectorAll(".controls [name]")) {
    control.addEventListener("change", () => {
      const value = control.type === "checkbox" ? control.checked : control.value;
      for (const { view, names } of drawn) {
        if (names.includes(control.name)) view.signal(control.name, value).runAsync();
      }
    });
    control.closest(".controls").hidden = false;
  }
}

document.querySelectorAll("section").forEach(show);
