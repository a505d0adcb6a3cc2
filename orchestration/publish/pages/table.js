// Tables that sort, filter and open, by the keyboard as well. Without this script all rows show.
//
// <table id="t">         th[data-sort="text|number"] becomes a button; a cell's data-value wins over
//                        its text. The body must be one <tbody>.
// <form data-filters="t"> a select or input filters rows: data-on="status" compares with the row's
//                        data-status ("!match" is any other; a row may hold several words), an input
//                        without data-on searches the row's text and data. Its name is its key in the
//                        address: page.html?status=explained. <output> tells how many rows show.
// <button class="opener"> in a row opens the row below it (tr.detail), or makes one from the
//                        <template> that the row's data-detail names: in it data-slot="x" is filled
//                        from the row's data-x, and data-needs="x" is kept only if the row has it.
(() => {
  "use strict";

  const rowsOf = (table) =>
    [...table.tBodies[0].rows].filter((row) => !row.classList.contains("detail"));
  const detailOf = (row) =>
    row.nextElementSibling?.classList.contains("detail") ? row.nextElementSibling : null;

  function makeDetail(row) {
    const template = document.getElementById(row.dataset.detail);
    const detail = document.createElement("tr");
    const cell = detail.insertCell();
    detail.className = "detail";
    detail.hidden = true;
    cell.colSpan = row.cells.length;
    cell.append(template.content.cloneNode(true));
    for (const part of cell.querySelectorAll("[data-needs]")) {
      if (!row.dataset[part.dataset.needs]) part.remove();
    }
    for (const slot of cell.querySelectorAll("[data-slot]")) {
      const value = row.dataset[slot.dataset.slot] ?? "";
      if (slot.tagName === "A") slot.href = value;
      else slot.textContent = value;
    }
    row.after(detail);
    return detail;
  }

  function toggle(row, open) {
    const detail = detailOf(row) ?? makeDetail(row);
    detail.hidden = !open;
    row.querySelector(".opener").setAttribute("aria-expanded", String(open));
  }

  function sortable(table) {
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    const order = new Intl.Collator(document.documentElement.lang, { numeric: true });
    heads.forEach((head, column) => {
      if (!head.dataset.sort) return;
      const button = document.createElement("button");
      button.type = "button";
      head.dataset.label = head.textContent.trim(); // what is printed
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      const isNumber = head.dataset.sort === "number";
      const key = (row) => {
        const cell = row.cells[column];
        const text = cell.dataset.value ?? cell.textContent.trim();
        return isNumber ? parseFloat(text) : text;
      };
      button.addEventListener("click", () => {
        const falls = head.getAttribute("aria-sort") === (isNumber ? "none" : "ascending");
        heads.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", falls ? "descending" : "ascending");
        const keyed = rowsOf(table).map((row) => [key(row), row, detailOf(row)]);
        const missing = (value) => value === "" || Number.isNaN(value);
        keyed.sort(([a], [b]) => {
          if (missing(a) || missing(b)) return missing(a) - missing(b); // nothing comes last
          return (isNumber ? a - b : order.compare(a, b)) * (falls ? -1 : 1);
        });
        table.tBodies[0].append(...keyed.flatMap(([, row, detail]) => (detail ? [row, detail] : [row])));
      });
    });
  }

  function filterable(form) {
    const table = document.getElementById(form.dataset.filters);
    const controls = [...form.elements].filter((one) => one.matches("select, input"));
    const asked = new URLSearchParams(location.search);
    const texts = new Map();
    for (const one of controls) {
      if (!asked.size) break; // an address without a question keeps the page's own choice
      one.value = asked.get(one.name) ?? "";
      if (one.selectedIndex === -1) one.value = ""; // a select that lacks the asked value
    }
    const fits = (row, control) => {
      const wanted = control.value.trim();
      if (!wanted) return true;
      if (!control.dataset.on) {
        if (!texts.has(row)) {
          const codes = Object.values(row.dataset).join(" ");
          texts.set(row, `${row.textContent} ${codes}`.toLowerCase());
        }
        return wanted.toLowerCase().split(/\s+/).every((word) => texts.get(row).includes(word));
      }
      const words = (row.dataset[control.dataset.on] ?? "").split(" ");
      return wanted.startsWith("!") ? !words.includes(wanted.slice(1)) : words.includes(wanted);
    };
    const apply = () => {
      let shown = 0;
      const rows = rowsOf(table);
      for (const row of rows) {
        const isShown = controls.every((control) => fits(row, control));
        row.hidden = !isShown;
        shown += isShown;
        const detail = detailOf(row);
        if (detail) {
          detail.toggleAttribute("data-filtered", !isShown);
          const opener = row.querySelector(".opener");
          detail.hidden = !isShown || opener?.getAttribute("aria-expanded") !== "true";
        }
      }
      const told = form.querySelector("output");
      if (told) told.textContent = `${shown} / ${rows.length}`;
    };
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    apply();
  }

  function openTarget() {
    const row = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!row?.querySelector?.(":scope .opener")) return;
    row.hidden = false;
    toggle(row, true);
    row.scrollIntoView({ block: "center" });
  }

  for (const opener of document.querySelectorAll(".opener")) {
    const row = opener.closest("tr");
    opener.setAttribute("aria-expanded", "false");
    const detail = detailOf(row);
    if (detail) detail.hidden = true;
  }
  document.addEventListener("click", (event) => {
    const opener = event.target.closest(".opener");
    if (opener) toggle(opener.closest("tr"), opener.getAttribute("aria-expanded") !== "true");
  });
  document.querySelectorAll("table").forEach(sortable);
  document.querySelectorAll("form[data-filters]").forEach(filterable);
  addEventListener("hashchange", openTarget);
  openTarget();
})();
