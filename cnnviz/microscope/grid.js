// A grid of cells in the window: elements with their numbers up to READABLE columns, beyond them colors on a canvas,
// since a kernel of 15 × 15 has 675 cells and the pointer moves often.

const READABLE = 7 // columns: beyond it cells are too small for numbers of 12 px
const GAP = 1 // CSS pixels between the cells of a canvas

// `point` is told the number of the cell under the pointer, or null; `choose`, if given, of the cell that is clicked.
function mountGrid(figure, point, choose = null) {
  const table = figure.querySelector(".cells")
  const canvas = document.createElement("canvas")
  let size = ""
  let rows = 0
  let columns = 0
  let side = 0 // of a canvas's cell, CSS pixels
  let lit = null
  let changed = false // on a canvas, since it was painted
  let cells = [] // elements, or { color, mark } on a canvas

  const drawn = () => columns > READABLE
  // the cells' width as the style sheets have it, less a margin
  const text = (value, signed = false) => (drawn() ? "" : cellText(value, signed, clamp(200 / columns, 36, 46) - 4))

  function resize(high, wide, testid) {
    if (size === `${high}x${wide}`) return
    size = `${high}x${wide}`
    rows = high
    columns = wide
    lit = null
    table.classList.toggle("drawn", drawn())
    table.style.setProperty("--columns", columns)
    if (!drawn()) {
      cells = Array.from({ length: rows * columns }, (_, n) => {
        const cell = document.createElement("div")
        cell.className = "cell"
        if (testid) cell.dataset.testid = testid
        cell.onpointerenter = () => point(n)
        cell.onpointerleave = (event) => event.pointerType !== "touch" && point(null) // a finger leaves when it is lifted
        if (choose) {
          cell.onclick = () => choose(n)
          cell.setAttribute("role", "button")
          cell.tabIndex = -1
        }
        return cell
      })
      table.replaceChildren(...cells)
      return
    }
    cells = Array.from({ length: rows * columns }, () => ({ color: "", mark: "" }))
    changed = true
    side = clamp(Math.round(220 / columns), 8, 26)
    const dense = window.devicePixelRatio || 1
    for (const [name, count] of [
      ["width", columns],
      ["height", rows],
    ]) {
      const length = count * (side + GAP) - GAP
      canvas[name] = Math.round(length * dense)
      canvas.style[name] = `${length}px`
    }
    canvas.setAttribute("role", "img")
    if (testid) canvas.dataset.testid = `${testid}s`
    table.replaceChildren(canvas)
  }

  // Touches only what has changed.
  function fill(n, text, [background, ink], mark = "") {
    const cell = cells[n]
    if (drawn()) {
      changed ||= cell.color !== background || cell.mark !== mark
      cell.color = background
      cell.mark = mark
      return
    }
    if (cell.textContent !== text) cell.textContent = text
    if (cell.shown !== background) {
      cell.style.background = cell.shown = background
      cell.style.color = ink
    }
    if (cell.mark === mark) return
    cell.mark = mark
    cell.classList.toggle("outside", mark === "outside")
    cell.classList.toggle("winner", mark === "winner")
  }

  // After the cells are filled: one of them may be lit. `caption` says what they are.
  function finish(term, caption) {
    figure.querySelector("figcaption").textContent = caption
    if (drawn()) {
      canvas.setAttribute("aria-label", caption)
      if (changed || lit !== term) {
        lit = term
        paint()
      }
      changed = false
    } else if (lit !== term) {
      cells[lit]?.classList.remove("lit")
      cells[term]?.classList.add("lit")
      lit = term
    }
  }

  function paint() {
    const context = canvas.getContext("2d")
    const dense = canvas.width / (columns * (side + GAP) - GAP)
    context.setTransform(dense, 0, 0, dense, 0, 0)
    context.clearRect(0, 0, columns * (side + GAP), rows * (side + GAP))
    const padding = []
    const outlined = []
    cells.forEach(({ color, mark }, n) => {
      const x = (n % columns) * (side + GAP)
      const y = Math.floor(n / columns) * (side + GAP)
      if (mark === "outside") padding.push([x, y])
      else {
        context.fillStyle = color
        context.fillRect(x, y, side, side)
      }
      if (mark === "winner" || n === lit) outlined.push([x, y])
    })
    if (padding.length) {
      context.beginPath()
      for (const [x, y] of padding) {
        for (const [from, to] of [
          [0, side / 2],
          [0, side],
          [side / 2, side],
        ]) {
          context.moveTo(x + from, y + to)
          context.lineTo(x + to, y + from)
        }
      }
      context.strokeStyle = getComputedStyle(figure).color
      context.globalAlpha = 0.25
      context.stroke()
      context.globalAlpha = 1
    }
    for (const [color, inset, width] of [
      ["#1f2430", 1, 2],
      ["#ffffff", 2.5, 1],
    ]) {
      context.strokeStyle = color
      context.lineWidth = width
      for (const [x, y] of outlined) context.strokeRect(x + inset, y + inset, side - 2 * inset, side - 2 * inset)
    }
    context.lineWidth = 1
  }

  function cellAt(event) {
    const [row, column] = [event.offsetY, event.offsetX].map((v) => Math.floor(v / (side + GAP)))
    return row >= 0 && row < rows && column >= 0 && column < columns ? row * columns + column : null
  }
  canvas.onpointermove = (event) => {
    const n = cellAt(event)
    if (n !== null && n !== lit) point(n)
  }
  canvas.onpointerdown = canvas.onpointermove
  canvas.onpointerleave = (event) => event.pointerType !== "touch" && point(null)
  if (choose) {
    canvas.tabIndex = 0
    canvas.onclick = (event) => cellAt(event) !== null && choose(cellAt(event))
    canvas.onkeydown = (event) => {
      if (isShortcut(event)) return
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key]
      if (event.key === "Enter" && lit !== null) choose(lit)
      else if (step) point(clamp((lit ?? 0) + step, 0, rows * columns - 1))
      else return
      event.preventDefault()
      event.stopPropagation()
    }
  }

  // The element of a cell, or the canvas that it is painted on.
  const element = (n) => (drawn() ? canvas : cells[n])

  return { resize, text, fill, finish, element }
}
