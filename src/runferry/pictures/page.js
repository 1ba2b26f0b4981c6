// Pages through the runs that lie in the page as JSON. What comes from the data becomes text only.
"use strict";
(() => {
  const PER_PAGE = 100;
  const read = id => JSON.parse(document.getElementById(id).textContent);
  const all = read("runs");
  const body = [...document.querySelectorAll("table tbody")].at(-1);
  const [search, status, back, on, said] =
    ["search", "status", "back", "on", "said"].map(id => document.getElementById(id));
  const TITLES = ["", "status", "checked", "rows", "otherwise", "there"];
  const text = run => `${run.run} ${run.name} ${run.project} ${run.remote}`.toLowerCase();
  const words = all.map(text);
  let page = 0;

  const element = (name, content = "", kind = "") => {
    const made = document.createElement(name);
    made.textContent = content;
    if (kind) made.className = kind;
    return made;
  };
  const cells = run => {
    const who = element("td");
    who.append(element("b", run.name || run.run));
    if (run.name) who.append(document.createElement("br"), element("code", run.run, "soft"));
    if (run.error) who.append(document.createElement("br"), element("span", run.error, "soft"));
    const state = element("td");
    state.append(element("span", run.status, `chip ${run.tone}`));
    return [
      who, state, element("td", run.checked), element("td", run.rows.toLocaleString("en"), "n"),
      element("td", run.lost), element("td", run.remote),
    ];
  };
  const row = run => {
    const made = element("tr");
    cells(run).forEach((cell, at) => {
      if (TITLES[at]) cell.dataset.title = TITLES[at];
      made.append(cell);
    });
    return made;
  };
  const show = () => {
    const wanted = search.value.toLowerCase();
    const found = all.filter((run, at) =>
      words[at].includes(wanted) && (!status.value || status.value === run.status
        || (status.value === "lost" && run.is_lossy)));
    const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
    page = Math.min(page, pages - 1);
    body.replaceChildren(...found.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map(row));
    said.textContent = `${found.length.toLocaleString("en")} of ${all.length.toLocaleString("en")} `
      + `runs, page ${page + 1} of ${pages}`;
    back.disabled = page === 0;
    on.disabled = page === pages - 1;
  };
  const anew = () => { page = 0; show(); };
  search.addEventListener("input", anew);
  status.addEventListener("change", anew);
  back.addEventListener("click", () => { page -= 1; show(); });
  on.addEventListener("click", () => { page += 1; show(); });
  document.querySelector(".bar").hidden = false;
  show();
})();
