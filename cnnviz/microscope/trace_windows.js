// The windows of a traced convolution or pool: values × weights = products in each of the strongest input channels.

const ROWS = matchMedia("(max-width: 759px)").matches ? 1 : 3 // windows that are shown at once

// --------------------------------------------------------------------------------------- windows of a convolution

function windowsOf({ step, body }, to) {
  const parts = step.parts.map((part) => readPart(part, body))
  const sent = parts.filter((part) => part.values)
  const limits = ["values", "weights", "products"].map((name) =>
    Math.max(1e-12, ...sent.flatMap((part) => [...part[name]].filter(Number.isFinite).map(Math.abs))),
  )
  const rows = make("div", "windows")
  const draw = (chosen) => {
    const first = [...(chosen ? [chosen] : []), ...sent.filter((part) => part !== chosen)].slice(0, ROWS)
    rows.replaceChildren(...first.map((part) => windowOf(part, step, limits, to)))
  }
  draw(null)
  const most = Math.max(...parts.map((part) => Math.abs(part.sum)).filter(Number.isFinite), Math.abs(step.bias ?? 0), 1e-12)
  const list = make("div", "sums")
  list.append(make("div", "caption", parts.length > 1 ? "Sums by input channel, the strongest first" : "Sum"))
  for (const part of parts) {
    const row = make(part.values ? "button" : "div", "row part")
    row.dataset.testid = "part"
    row.dataset.value = part.sum
    row.append(make("span", "name", part.name), barTo(part.sum, most), make("span", "figure", numberText(part.sum, true)))
    if (part.values) {
      row.setAttribute("aria-label", `${part.name}: ${numberText(part.sum, true)}; show its window`)
      row.onclick = () => draw(part)
    }
    list.append(row)
  }
  list.append(...restRows(step, step.restParts, "channels", most))
  return [rows, list]
}

function readPart(part, body) {
  if (part.at === null) return part
  const count = part.rows.length * part.columns.length
  const numbers = new Float64Array(body.slice(part.at, part.at + 16 * count).buffer)
  const [values, weights] = [numbers.slice(0, count), numbers.slice(count)]
  return { ...part, values, weights, products: values.map((value, n) => value * weights[n]), outside: new Set(part.outside) }
}

// The place of a window's cell, or null in the padding.
function placeIn(part, n) {
  if (part.outside.has(n)) return null
  const wide = part.columns.length
  return `${part.node}:${part.rows[Math.floor(n / wide)]}.${part.columns[n % wide]}.${part.channel}`
}

function gridIn(row, caption, choose, point) {
  const figure = make("figure")
  figure.append(make("div", "cells"), make("figcaption"))
  row.append(figure)
  return { ...mountGrid(figure, point, choose), caption }
}

function windowOf(part, step, limits, to) {
  const made = make("div", "window-row")
  const [high, wide] = [part.rows.length, part.columns.length]
  const line = make("div", "grids")
  const choose = (n) => to.on(placeIn(part, n))
  const point = (n) => {
    to.pointed(n === null ? "" : wordsIn(part, n))
    for (const grid of grids) grid.finish(n, grid.caption)
  }
  const grids = []
  const captions = [part.name, "weights", `sum ${numberText(part.sum, true)}`]
  captions.forEach((caption, n) => {
    if (n) line.append(make("span", "operator", n === 1 ? "×" : "="))
    grids.push(gridIn(line, caption, n === 1 ? null : choose, point))
  })
  grids[0].resize(high, wide)
  grids[1].resize(high, wide)
  grids[2].resize(high, wide, "term")
  for (let n = 0; n < high * wide; n++) {
    const away = part.outside.has(n)
    grids[0].fill(n, grids[0].text(part.values[n]), away ? ["", ""] : signedColor(part.values[n], limits[0]), away ? "outside" : "")
    grids[1].fill(n, grids[1].text(part.weights[n], true), signedColor(part.weights[n], limits[1]))
    grids[2].fill(n, grids[2].text(part.products[n], true), signedColor(part.products[n], limits[2]), away ? "outside" : "")
    if (wide <= READABLE) {
      const term = { product: part.products[n], place: placeIn(part, n) }
      const cell = grids[2].element(n)
      pressed(cell, term, step, to, wordsIn(part, n))
      cell.onpointerenter = cell.onfocus = () => point(n)
      cell.onpointerleave = cell.onblur = () => point(null)
    }
  }
  for (const grid of grids) grid.finish(null, grid.caption)
  made.append(line)
  return made
}

function wordsIn(part, n) {
  const wide = part.columns.length
  const where = `(${part.rows[Math.floor(n / wide)]}, ${part.columns[n % wide]})`
  const place = part.outside.has(n) ? `padding ${where}` : `${part.name}, ${where}`
  return `${place}: ${numberText(part.values[n])} × ${numberText(part.weights[n], true)} = ${numberText(part.products[n], true)}`
}

// ----------------------------------------------------------------------------------------------------- one window

function poolOf({ step, body }, to) {
  const part = readPart(step.parts[0], body)
  const [high, wide] = [part.rows.length, part.columns.length]
  const line = make("div", "grids")
  const place = step.follow
  const point = (n) => {
    to.pointed(n === null ? "" : wordsOf(termIn(n), step))
    grid.finish(n, grid.caption)
  }
  const termIn = (n) => ({
    place: placeIn(part, n),
    name: part.outside.has(n) ? "padding, never looked at" : `(${part.rows[Math.floor(n / wide)]}, ${part.columns[n % wide]})`,
    value: part.values[n],
    weight: part.weights[n],
    product: part.products[n],
  })
  const grid = gridIn(line, `${high} × ${wide} cells of ${part.name}`, (n) => to.on(placeIn(part, n)), point)
  grid.resize(high, wide, "term")
  const limit = Math.max(1e-12, ...[...part.values].filter(Number.isFinite).map(Math.abs))
  for (let n = 0; n < high * wide; n++) {
    const away = part.outside.has(n)
    const won = step.combine === "largest" && placeIn(part, n) === place
    const color = away ? ["", ""] : signedColor(part.values[n], limit)
    grid.fill(n, away ? "" : grid.text(part.values[n]), color, away ? "outside" : won ? "winner" : "")
    if (wide <= READABLE) {
      const cell = grid.element(n)
      pressed(cell, termIn(n), step, to, wordsOf(termIn(n), step))
      if (step.combine === "largest") cell.dataset.value = part.values[n]
      cell.onpointerenter = cell.onfocus = () => point(n)
      cell.onpointerleave = cell.onblur = () => point(null)
    }
  }
  grid.finish(null, grid.caption)
  const inside = high * wide - part.outside.size
  const words =
    step.combine === "largest"
      ? "The largest goes on, the others are dropped."
      : `The mean: their sum ${numberText(step.total * inside)} / ${inside}.`
  return [line, make("p", "muted", words)]
}
