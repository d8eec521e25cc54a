for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const value = (row, i) => row.cells[i].dataset.value ?? row.cells[i].textContent.trim();
  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => [value(row, i), row]);
      const compare = ([a], [b]) => {
        if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
        const order = isFinite(a) && isFinite(b) ? a - b : a.localeCompare(b, undefined, { numeric: true });
        return up ? order : -order;
      };
      body.append(...rows.sort(compare).map(([, row]) => row));
    });
  });
}
