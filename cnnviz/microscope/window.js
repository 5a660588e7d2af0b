// The window under the pointer: its pixels × weights = products, their sum, bias and ReLU, or what its pool did.
// It keeps the road's cursor: stages report where the pointer is, this answers with the rectangles to light.

const mounted = new WeakMap()
const STEP = 400 // milliseconds a step at speed 1

export default function ({ parentElement, data, setTriggerValue }) {
  let view = mounted.get(parentElement)
  if (!view) mounted.set(parentElement, (view = mountWindow(parentElement, data[0])))
  view.update(setTriggerValue)
  return view.unmount
}

function mountWindow(root, where) {
  const find = (selector) => root.querySelector(selector)
  const panel = find(".window")
  let spec = null
  let plane = null
  let cursor = null // { stage, row, column }
  let pinned = false
  let held = "" // the place that the server knows, or is about to be told
  let told = "" // the place that the server knows
  let chosen = 0 // which part's grids are shown
  let heaviest = 0 // the largest weight of all parts, without its sign
  let weighed = null // the part whose weights stand in their grid
  let pooled = null // the pooled cell computed last
  let term = null // the cell of the grids that is pointed at
  let playing = null
  let sayLater = null
  let pin = () => {}
  let bytes = null // of the block that came last
  const grids = Object.fromEntries(
    ["values", "weights", "products"].map((name) => [name, mountGrid(find(`[data-grid="${name}"]`), pointTerm)]),
  )
  const showSums = mountSums(find(".parts"), (n) => {
    chosen = n
    show()
  })
  const near = mountNear(root, panel)
  addEventListener("resize", near.look)
  hub.timings ??= []
  find(".hint").hidden = hintSeen()
  find(".hint").textContent = byTouch()
    ? "Tap a picture to hold a window there; slide sideways to move it."
    : "Move over a picture. A click holds the window, Escape frees it, arrow keys move it."

  function show() {
    if (!spec || !plane || !cursor) return
    const started = performance.now()
    const pooling = cursor.stage === "pool" && spec.pool
    const other = panel.classList.contains("pooling") !== Boolean(pooling)
    panel.classList.toggle("pooling", Boolean(pooling))
    panel.classList.toggle("wide", !pooling && spec.kernelSize[1] > 5)
    if (pooling) showPool()
    else showConv()
    if (other) near.look()
    const boxes = boxesFor(spec, cursor)
    const detail = { road: spec.road, boxes, texts: textsFor(boxes), pinned }
    hub.cursors.set(spec.road, detail)
    tell("cursor", detail)
    hub.timings.push(performance.now() - started)
    if (hub.timings.length > 2000) hub.timings.splice(0, 1000)
  }

  // The last pooled cell: many neighbors of the pointer belong to the same, and 15 × 15 windows of 15 × 15 take a while.
  function pooledAt(row, column) {
    if (pooled?.row !== row || pooled.column !== column) pooled = { row, column, ...poolCell(spec, plane, row, column) }
    return pooled
  }

  const degrees = (radians) => `${numberText((radians * 180) / Math.PI)}°`

  // What each stage says under its bar: the value of its lit cell, or where its lit window lies.
  function textsFor(boxes) {
    const texts = {}
    for (const [stage, [row, column, height, width]] of Object.entries(boxes)) {
      const place = `row ${numberText(row)}, column ${numberText(column)}`
      if (height * width > 1) texts[stage] = `${height} × ${width} at ${place}`
      else if (stage === "pool") texts[stage] = `${place}: ${numberText(pooledAt(row, column).result)}`
      else if (stage === "input") texts[stage] = place
      else {
        const cell = convValue(spec, plane, row, column)
        const value = stage === "relu" ? cell.relu : cell.biased
        texts[stage] = `${place}: ${spec.combine === "direction" ? degrees(value) : numberText(value)}`
      }
    }
    return texts
  }

  function showConv() {
    const cell = convCell(spec, plane, cursor.row, cursor.column)
    const part = cell.parts[chosen]
    const now = spec.parts[chosen]
    for (const [name, grid] of Object.entries(grids))
      grid.resize(part.rows, part.columns, name === "products" ? "term" : "")
    part.terms.forEach((t, n) => {
      grids.values.fill(n, grids.values.text(t.value), t.outside ? ["", ""] : greyColor(t.value), t.outside ? "outside" : "")
      if (weighed !== now) grids.weights.fill(n, grids.weights.text(t.weight, true), signedColor(t.weight, heaviest))
      grids.products.fill(n, grids.products.text(t.product, true), signedColor(t.product, heaviest * 255))
    })
    weighed = now
    grids.values.finish(term, `window at row ${numberText(part.terms[0].y)}, column ${numberText(part.terms[0].x)}`)
    grids.weights.finish(term, spec.parts.length > 1 ? `weights, ${part.name}` : "weights")
    grids.products.finish(term, `${part.terms.length} products${part.name && `, ${part.name}`}`)
    showSums(cell.parts, chosen, spec.combine)
    const total = find(".total")
    total.textContent = numberText(cell.sum, true)
    Object.assign(total.dataset, { stage: cursor.stage, row: cursor.row, column: cursor.column, value: cell.sum })
    find(".sign").textContent = signOf(cell.parts, spec.combine)
    const steps = []
    if (spec.combine === "direction") {
      const flat = cell.parts.every((one) => one.sum === 0)
      steps.push(flat ? "x and y are 0: no slope, so no direction; 0 stands for it" : `${degrees(cell.sum)}, 0° is right, 90° is down`)
    } else {
      steps.push(
        `+ bias ${spec.bias < 0 ? `(${numberText(spec.bias)})` : numberText(spec.bias)} = ${numberText(cell.biased)}`,
      )
      if (spec.relu) steps.push(`ReLU → ${numberText(cell.relu)}`)
    }
    find(".after").textContent = steps.join(" → ")
    showTerm(part)
    const sums = sumsInWords(cell.parts, chosen, spec.combine, numberText(cell.sum), steps)
    say(`Row ${cursor.row}, column ${cursor.column}: ${sums}`)
  }

  function showPool() {
    const cell = pooledAt(cursor.row, cursor.column)
    const [rows, columns] = spec.pool.size
    grids.values.resize(rows, columns, "term")
    cell.cells.forEach((c, n) => {
      const mark = c.outside ? "outside" : spec.pool.kind === "max" && c === cell.winner ? "winner" : ""
      const color = c.outside ? ["", ""] : signedColor(c.value, spec.limit)
      grids.values.fill(n, c.outside ? "" : grids.values.text(c.value), color, mark)
    })
    grids.values.finish(term, `${rows} × ${columns} cells at row ${cell.cells[0].y}, column ${cell.cells[0].x}`)
    showSums([])
    grids.weights.resize(0, 0)
    weighed = null
    grids.products.resize(0, 0)
    const total = find(".total")
    total.textContent = numberText(cell.result)
    Object.assign(total.dataset, { stage: "pool", row: cursor.row, column: cursor.column, value: cell.result })
    find(".sign").textContent = spec.pool.kind === "max" ? "the largest is" : "their mean is"
    find(".after").textContent =
      spec.pool.kind === "max"
        ? cell.winner
          ? `from row ${cell.winner.y}, column ${cell.winner.x}; the others are dropped`
          : ""
        : `${numberText(cell.total)} / ${cell.count}`
    const pointed = term === null ? null : cell.cells[term]
    find(".term").textContent = pointed
      ? pointed.outside
        ? "padding: never looked at"
        : `cell (${pointed.y}, ${pointed.x}): ${numberText(pointed.value)}`
      : columns > READABLE
        ? "Point at a cell to read its number."
        : ""
    say(
      `Pool row ${cursor.row}, column ${cursor.column}: ${spec.pool.kind === "max" ? "largest" : "mean"} of ${cell.count} cells is ${numberText(cell.result)}.`,
    )
  }

  function pointTerm(n) {
    term = n
    if (cursor) show()
  }

  function showTerm(part) {
    const t = term === null ? null : part.terms[term]
    const place = t?.outside ? "padding" : `pixel (${t?.y}, ${t?.x})`
    find(".term").textContent = t
      ? `${place}: ${numberText(t.value)} × ${numberText(t.weight, true)} = ${numberText(t.product, true)}`
      : part.columns > 3 || part.terms.some(({ product: p }) => grids.products.text(p, true) !== numberText(p, true))
        ? "Point at a cell to read it in full."
        : ""
  }

  function say(sentence) {
    clearTimeout(sayLater)
    sayLater = setTimeout(() => {
      find(".say").textContent = sentence
    }, 300)
  }

  function output() {
    return cursor?.stage === "pool" && spec.pool ? spec.pool.output : spec.output
  }

  function go(to) {
    const [rows, columns] = output()
    cursor = { ...cursor, row: clamp(to.row, 0, rows - 1), column: clamp(to.column, 0, columns - 1) }
    scrub()
    show()
    if (pinned) setPin(true)
  }

  function scrub() {
    const [rows, columns] = output()
    const slider = find(".scrub")
    slider.max = rows * columns - 1
    slider.value = cursor.row * columns + cursor.column
  }

  function step(by) {
    const [rows, columns] = output()
    const next = (cursor.row * columns + cursor.column + by + rows * columns) % (rows * columns)
    go({ row: Math.floor(next / columns), column: next % columns })
  }

  function play(on) {
    clearInterval(playing)
    if (on && pinned) setPin(false)
    playing = on ? setInterval(() => step(1), STEP / Number(find(".speed").value)) : null
    find(".play").textContent = on ? "Pause" : "Play"
    find(".play").setAttribute("aria-pressed", String(Boolean(on)))
  }

  function onPoint({ detail }) {
    if (!spec || detail.road !== spec.road) return
    if (detail.action === "leave") return near(pinned)
    near(true, detail.bottom)
    if (detail.action === "free") {
      setPin(false)
      play(false)
      return show()
    }
    if (detail.action === "keep") {
      play(false)
      setPin(!pinned)
      return show()
    }
    if (detail.action === "hover" && pinned) return
    play(false)
    hideHint()
    if (detail.action === "move") {
      const stage = detail.stage === "pool" && !spec.pool ? "map" : detail.stage
      if ((stage === "pool") !== (cursor.stage === "pool")) cursor = fromStage(stage)
      cursor = { ...cursor, stage }
      go({ row: cursor.row + detail.row, column: cursor.column + detail.column })
    } else {
      if (detail.stage === "pool" && !spec.pool) return
      const next = cursorFor(spec, detail.stage, detail.row, detail.column)
      const moved = !cursor || next.row !== cursor.row || next.column !== cursor.column || next.stage !== cursor.stage
      cursor = next
      if (detail.action === "pin") setPin(true)
      else if (!moved) return
      scrub()
      show()
    }
    if (pinned) setPin(true)
  }

  function fromStage(stage) {
    const boxes = boxesFor(spec, cursor)
    const box = stage === "pool" ? (boxes.pool ?? [0, 0]) : boxes.map
    return { stage, row: Math.max(0, box[0]), column: Math.max(0, box[1]) }
  }

  function hideHint() {
    if (find(".hint").hidden) return
    find(".hint").hidden = true
    keepHint()
  }

  function setPin(on) {
    pinned = on
    find(".free").hidden = !on
    near(on)
    pin(on ? place() : "")
  }

  function place() {
    return `${cursor.stage},${cursor.row},${cursor.column}`
  }

  function onPlane({ detail }) {
    if (spec && detail.digest === spec.plane) usePlane()
  }

  function usePlane() {
    plane = hub.planes.get(spec.plane) ?? null
    pooled = null
    show()
  }

  for (const button of root.querySelectorAll(".arrow")) {
    const [rows, columns] = button.dataset.move.split(",").map(Number)
    button.onclick = () => {
      play(false)
      go({ row: cursor.row + rows, column: cursor.column + columns })
    }
  }
  find(".play").onclick = () => play(playing === null)
  find(".speed").onchange = () => playing !== null && play(true)
  find(".free").onclick = () => {
    setPin(false)
    show()
  }
  find(".scrub").oninput = (event) => {
    const [, columns] = output()
    play(false)
    go({ row: Math.floor(event.target.value / columns), column: event.target.value % columns })
  }
  panel.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && near(true, null))
  panel.onpointerenter = (event) => event.pointerType === "mouse" && near(true, null)
  panel.onpointerleave = (event) => event.pointerType === "mouse" && near(pinned)
  find(".up").onclick = (event) => {
    event.stopPropagation()
    near(true)
    tell("seek", { road: spec.road, stage: cursor.stage })
  }
  panel.onclick = (event) => {
    if (!panel.matches(".short, .low")) return
    if (event.target.closest("button")) return
    near(false) // a tap opens it
    panel.scrollIntoView({ block: "end" })
  }
  panel.onkeydown = (event) => {
    if (event.key !== "Escape") return // nor is false given back, which would take Tab and Enter away from the buttons
    setPin(false)
    play(false)
    show()
  }
  document.addEventListener("cnnviz:point", onPoint)
  document.addEventListener("cnnviz:plane", onPlane)

  function draw(block) {
    if (!block.window) return
    const first = spec === null
    spec = block.window
    const came = block.bytes !== bytes // else it is drawn once more, in another theme
    const decided = came && spec.pin !== told && spec.pin !== held // by a link, the back button or a reset
    if (came) told = spec.pin
    bytes = block.bytes
    if (decided) {
      held = spec.pin
      pinned = Boolean(held)
      if (pinned) {
        const [stage, row, column] = held.split(",")
        cursor = { stage, row: Number(row), column: Number(column) }
      }
      find(".free").hidden = !pinned
      near(pinned && !first)
    }
    if (!cursor || (cursor.stage === "pool" && !spec.pool)) {
      cursor = { stage: "map", row: Math.floor(spec.output[0] / 2), column: Math.floor(spec.output[1] / 2) }
    }
    const [rows, columns] = output()
    cursor = { ...cursor, row: clamp(cursor.row, 0, rows - 1), column: clamp(cursor.column, 0, columns - 1) }
    if (pinned && place() !== held) setTimeout(() => pinned && pin(place())) // there is no such cell any more
    if (chosen >= spec.parts.length) chosen = 0
    scrub()
    heaviest = Math.max(1e-9, ...spec.parts.flatMap((part) => part.weights.flat().map(Math.abs)))
    weighed = null
    usePlane()
    near.look() // it may have become larger
  }
  const unfollow = follow(where, draw)

  return {
    update(setTriggerValue) {
      let sent = null // the server is told of a pin once things have come to rest
      pin = (place) => {
        clearTimeout(sent)
        held = place
        sent = setTimeout(() => {
          if (place !== told) setTriggerValue("pin", place)
          told = place
        }, 250)
      }
    },
    unmount() {
      unfollow()
      removeEventListener("resize", near.look)
      document.removeEventListener("cnnviz:point", onPoint)
      document.removeEventListener("cnnviz:plane", onPlane)
      play(false)
      clearTimeout(sayLater)
      mounted.delete(root)
    },
  }
}
