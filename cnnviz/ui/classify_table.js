// The answers to many photos as a table; a press on a column's head sorts by it, here and at once.
const COLUMNS = [
  ["file", "Photo"],
  ["name", "File"],
  ["answer", "Answer"],
  ["p", "Probability"],
  ["true", "It is"],
]
const natural = new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare

function make(tag, text = "", kind = "") {
  const made = document.createElement(tag)
  made.textContent = text
  if (kind) made.className = kind
  return made
}

function picture(row) {
  if (!row.src) return make("span", "", "none")
  const image = make("img")
  image.src = row.src
  image.alt = ""
  image.loading = "lazy"
  return image
}

function line(row, scored) {
  const made = make("tr")
  made.dataset.testid = "row"
  made.dataset.name = row.name
  const cell = (kind, ...parts) => {
    const td = made.appendChild(make("td", "", kind))
    td.append(...parts)
    return td
  }
  cell("picture", picture(row))
  const named = cell("name", row.name)
  const file = make("div", row.name, "quiet below") // where the column of names has no room
  if (row.face) {
    named.append(make("div", row.face, "quiet"))
    file.append(`, ${row.face}`)
  }
  if (row.error) {
    cell("error", row.error, file).colSpan = scored ? 3 : 2
    return made
  }
  const answer = cell("answer", row.answer, file)
  if (!row.sure) answer.append(make("div", "not sure", "quiet"))
  if (row.same) answer.append(make("div", `same file as ${row.same}`, "quiet"))
  const rail = make("span", "", "rail")
  rail.appendChild(make("b")).style.width = `${100 * row.p}%`
  const p = make("span", "", "p")
  p.append(rail, make("span", row.text))
  cell("", p)
  if (scored) cell(row.true && row.true !== row.answer ? "wrong" : "", row.true ? `${row.true}${row.true === row.answer ? "" : " ≠"}` : "–")
  return made
}

// those without an answer come last, however it is sorted
function sorted(rows, by, down) {
  const worth = (a, b) => {
    if (by === "file") return a.n - b.n
    if (by === "name") return natural(a.name, b.name)
    if (!a.answer !== !b.answer) return a.answer ? -Infinity : Infinity
    if (by === "p") return (a.p ?? 0) - (b.p ?? 0)
    return natural(a[by] ?? "", b[by] ?? "")
  }
  return rows
    .map((row, n) => ({ ...row, n }))
    .sort((a, b) => {
      const order = worth(a, b)
      return (Number.isFinite(order) && down ? -order : order) || a.n - b.n
    })
}

export default function ({ parentElement, data: [data], setTriggerValue }) {
  const table = parentElement.querySelector("table")
  if (table.given !== String(data.sort)) { // a link or Back; else the last press on a head counts
    table.given = String(data.sort)
    table.sort = data.sort
  }
  const draw = () => {
    const [by, down] = table.sort
    for (const head of table.querySelectorAll("th")) {
      head.setAttribute("aria-sort", head.dataset.by !== by ? "none" : down ? "descending" : "ascending")
    }
    body.replaceChildren(...sorted(data.rows, by, down).map((row) => line(row, data.scored)))
  }
  const head = make("thead")
  const top = head.appendChild(make("tr"))
  for (const [by, title] of COLUMNS.slice(0, data.scored ? 5 : 4)) {
    const cell = top.appendChild(make("th"))
    cell.scope = "col"
    cell.dataset.by = by
    cell.className = by
    const button = cell.appendChild(make("button", title))
    button.type = "button"
    button.dataset.testid = "sort"
    button.dataset.by = by
    button.onclick = () => {
      // probabilities are looked at from the largest down, names from A on
      const first = by === "p"
      table.sort = [by, table.sort[0] === by ? !table.sort[1] : first]
      draw()
      setTriggerValue("sort", table.sort)
    }
  }
  const focused = document.activeElement === table.getRootNode().activeElement
  const by = table.getRootNode().activeElement?.dataset?.by
  const body = make("tbody")
  table.replaceChildren(head, body)
  draw()
  if (focused || by) table.querySelector(`button[data-by="${by}"]`)?.focus({ preventScroll: true })
}
