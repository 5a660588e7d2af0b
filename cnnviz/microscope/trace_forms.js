// How each form of calculation is drawn in a trace: windows by channel, one window, bars of terms, a share, a line.
// `to.on` goes on to a term's place, `to.go` to a whole trail, `to.pointed` writes a term out in full.

function make(tag, className, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  if (tag === "button") made.type = "button"
  return made
}

const COMBINED = { largest: "the largest is", smallest: "the smallest is", product: "Π", share: "its share is" }

function signOf(step) {
  if (["end", "photo", "same", "function"].includes(step.form)) return step.form === "photo" ? "scaled" : ""
  return COMBINED[step.combine] ?? "Σ"
}

// "name:4.7.12" → [name, [4, 7, 12]]
function split(place) {
  const colon = place.lastIndexOf(":")
  return [place.slice(0, colon), place.slice(colon + 1).split(".").map(Number)]
}

// What comes after the sum: bias, activation, and whether Keras says the same.
function afterOf(step) {
  const lines = []
  const parts = []
  if (step.bias !== null && step.form !== "photo") {
    const [first, second] = step.form === "line" ? ["x · a", "b"] : ["products", "bias"]
    const inside = `${step.bias < 0 ? "−" : "+"} ${second} ${numberText(Math.abs(step.bias))}`
    parts.push(`${first} ${numberText(step.total - step.bias)} ${inside}`)
  }
  if (step.form === "photo") parts.push(`level ${numberText(step.terms[0].value)} of 255 → ${numberText(step.result)}`)
  if (step.activation) parts.push(`${step.activation} → ${numberText(step.result)}`)
  if (step.combine === "share") parts.push(`${numberText(own(step).product)} of ${numberText(step.total)}`)
  if (parts.length) lines.push(make("div", "", parts.join(", ")))
  if (step.note) lines.push(make("div", "muted", step.note))
  if (step.end) lines.push(make("div", "", step.end))
  if (step.form !== "end" && !step.before) {
    const agrees = step.addsUp ? "" : ", which differs by more than rounding"
    const line = make("div", "keras", `Keras computed ${numberText(step.value)}${agrees}.`)
    line.classList.toggle("differs", !step.addsUp)
    lines.push(line)
  }
  return lines
}

const own = (step) => step.terms.find((term) => term.place === step.follow) ?? step.terms[0]

function bodyOf(now, to) {
  const { step } = now
  if (step.form === "window") return windowsOf(now, to)
  if (step.form === "pool") return poolOf(now, to)
  if (step.form === "softmax") return shareOf(step, to)
  if (step.form === "photo") return reachedOf(now, to)
  if (step.form === "line" || step.form === "function") return lineOf(step, to)
  if (step.form === "end") return []
  return [barsOf(step, to)]
}

// ------------------------------------------------------------------------------------------------------- a button

// A term as something to press: it goes on to the cell that it came from.
function pressed(made, term, step, to, words) {
  made.dataset.testid = "term"
  Object.assign(made.dataset, { value: term.product, place: term.place ?? "" })
  if (term.place && term.place === step.follow) made.dataset.follow = ""
  made.setAttribute("aria-label", words)
  if (term.place) made.onclick = () => to.on(term.place)
  else made.setAttribute("aria-disabled", "true")
  made.onpointerenter = made.onfocus = () => to.pointed(words)
  made.onpointerleave = made.onblur = () => to.pointed("")
  return made
}

function wordsOf(term, step) {
  if (step.combine !== "sum" || step.form === "same") return `${term.name}: ${numberText(term.value)}`
  return `${term.name}: ${numberText(term.value)} × ${numberText(term.weight, true)} = ${numberText(term.product, true)}`
}

// A bar from the middle, to the right and red above 0, to the left and blue below; the number carries the sign. What is
// longer than the longest of the terms, as many of them together may be, is broken off where the room ends.
function barTo(value, most) {
  const track = make("span", "track")
  const bar = make("span", "bar")
  const times = Number.isFinite(value) ? Math.abs(value / (most || 1)) : 1
  bar.style.width = `${Math.min(times, 1) * 50}%`
  if (times > 1 + 1e-9) {
    bar.classList.add("cut")
    track.title = `${numberText(times, false, 3)} times as long as fits here`
  }
  bar.style[value < 0 ? "right" : "left"] = "50%"
  bar.style.background = Number.isNaN(value) ? "#C026D3" : value < 0 ? "#2166AC" : "#B2182B"
  track.append(bar)
  return track
}

// ----------------------------------------------------------------------------------------------------- bars of terms

// The lines under a list of sums: what is not shown, and the bias.
function restRows(step, rest, what, most) {
  const rows = []
  const row = (name, value, testid) => {
    const made = make("div", "row")
    made.dataset.testid = testid
    made.dataset.value = value
    made.append(make("span", "name", name), barTo(value, most), make("span", "figure", numberText(value, true)))
    rows.push(made)
  }
  const count = numberText(rest.count) === String(rest.count) ? rest.count : rest.count.toLocaleString("en")
  if (rest.count) row(`the other ${count} ${what} together`, rest.sum, "rest")
  if (step.bias !== null) row("bias", step.bias, "bias")
  return rows
}

function barsOf(step, to) {
  const most = Math.max(...step.terms.map((term) => Math.abs(term.product)).filter(Number.isFinite), Math.abs(step.bias ?? 0), 1e-12)
  const list = make("div", "terms")
  const sum = step.combine === "sum" && step.form !== "same"
  const captions = { sum: "The terms, the largest first", product: "Its factors", same: "Taken over unchanged from" }
  const caption = captions[step.form === "same" ? "same" : step.combine] ?? `The numbers, the ${step.combine} goes on`
  list.append(make("div", "caption", caption))
  for (const term of step.terms) {
    const row = pressed(make("button", "row"), term, step, to, wordsOf(term, step))
    const arithmetic = sum ? `${numberText(term.value)} × ${numberText(term.weight, true)}` : ""
    const figure = sum ? numberText(term.product, true) : numberText(term.value)
    row.append(make("span", "name", term.name), make("span", "times", arithmetic), barTo(term.product, most), make("span", "figure", figure))
    list.append(row)
  }
  if (sum) for (const row of restRows(step, step.rest, "terms", most)) list.append(row)
  else if (step.rest.count) list.append(make("div", "muted", `and ${step.rest.count} others`))
  return list
}

// -------------------------------------------------------------------------------------------------------- a softmax

// The fraction e^a / (e^a + e^b + …) and a row for each part; what is lit in one is lit in the other.
function shareOf(step, to) {
  const mine = own(step)
  const light = (name) => {
    for (const one of holder.querySelectorAll("[data-part]")) one.classList.toggle("lit", one.dataset.part === name)
  }
  const less = step.numbers.length ? step.numbers[0][1] : 0
  const power = (term) => {
    const made = make("span", "power", "e")
    made.dataset.part = term.name
    made.append(make("sup", "", numberText(term.value - less)))
    made.title = `${term.name}: ${numberText(term.product)}`
    made.onpointerenter = () => light(term.name)
    made.onpointerleave = () => light("")
    return made
  }
  const holder = make("div", "share")
  const fraction = make("div", "fraction")
  const [above, below] = [make("div", "above"), make("div", "below")]
  above.append(power(mine))
  step.terms.forEach((term, n) => below.append(...(n ? [document.createTextNode(" + ")] : []), power(term)))
  if (step.rest.count) below.append(` + ${numberText(step.rest.sum)} of ${step.rest.count} others`)
  fraction.append(above, below)
  const equals = make("div", "equals", `= ${numberText(mine.product)} / ${numberText(step.total)} = ${numberText(step.result)}, which is ${percent(step.result)}`)
  equals.title = exactPercent(step.result)
  const list = make("div", "terms")
  list.append(make("div", "caption", "What was given → its exponential, and its share of the sum"))
  for (const term of step.terms) {
    const share = term.product / step.total
    const row = pressed(make("button", "row"), term, step, to, `${term.name}: e to the ${numberText(term.value - less)} is ${numberText(term.product)}, ${percent(share)} of the sum`)
    row.dataset.part = term.name
    row.title = exactPercent(share)
    const bar = make("span", "track from-left")
    const inside = make("span", "bar")
    inside.style.width = `${share * 100 || 0}%`
    bar.append(inside)
    const arithmetic = `${numberText(term.value, true)} → ${numberText(term.product)}`
    row.append(make("span", "name", term.name), make("span", "times", arithmetic), bar, make("span", "figure", percent(share)))
    const { onpointerenter, onpointerleave } = row
    row.onpointerenter = row.onfocus = (event) => (onpointerenter(event), light(term.name))
    row.onpointerleave = row.onblur = (event) => (onpointerleave(event), light(""))
    list.append(row)
  }
  const rest = restRows({ bias: null }, step.rest, "exponentials", step.total)
  holder.append(fraction, equals, list, ...rest)
  return [holder]
}

// ------------------------------------------------------------------------------------------- a line or another curve

function lineOf(step, to) {
  const term = step.terms[0]
  const list = make("div", "terms")
  list.append(make("div", "caption", step.form === "line" ? "One number on a line x · a + b" : `${step.activation} of one number`))
  const row = pressed(make("button", "row"), term, step, to, wordsOf(term, step))
  const arithmetic = step.form === "line" ? `${numberText(term.value)} × ${numberText(term.weight, true)}` : ""
  row.append(make("span", "name", term.name), make("span", "times", arithmetic), make("span", "figure", numberText(term.product, step.form === "line")))
  list.append(row)
  const plain = (name, value, testid) => {
    const made = make("div", "row")
    if (testid) made.dataset.testid = testid
    made.dataset.value = value
    made.append(make("span", "name", name), make("span", "figure", numberText(value, testid === "bias")))
    list.append(made)
  }
  if (step.bias !== null) plain("b", step.bias, "bias")
  for (const [name, value] of step.numbers) plain(name, value)
  return [curveOf(step), list]
}

function curveOf(step) {
  const [wide, high, edge] = [260, 180, 8]
  const points = step.curve.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))
  const holder = make("div", "curve")
  if (points.length < 2 || !Number.isFinite(step.result)) return holder
  const xs = points.map(([x]) => x)
  const ys = [...points.map(([, y]) => y), 0]
  const range = (values) => [Math.min(...values), Math.max(...values)]
  const [[x0, x1], [y0, y1]] = [range(xs), range(ys)]
  const px = (x) => edge + ((x - x0) / (x1 - x0 || 1)) * (wide - 2 * edge)
  const py = (y) => high - edge - ((y - y0) / (y1 - y0 || 1)) * (high - 2 * edge)
  const [x, y] = [step.terms[0].value, step.result]
  const path = points.map(([a, b], n) => `${n ? "L" : "M"}${px(a).toFixed(1)} ${py(b).toFixed(1)}`).join("")
  holder.innerHTML = `<svg viewBox="0 0 ${wide} ${high}" width="${wide}" height="${high}" role="img">
    <path class="axis" d="M${px(x0)} ${py(0)}H${px(x1)}M${px(0)} ${py(y0)}V${py(y1)}"/>
    <path class="guide" d="M${px(x)} ${py(0)}V${py(y)}H${px(0)}"/><path class="line" d="${path}"/>
    <circle cx="${px(x)}" cy="${py(y)}" r="5"/></svg>`
  const words = `${numberText(x)} → ${numberText(y)}`
  holder.firstChild.setAttribute("aria-label", words)
  holder.append(make("div", "caption", words))
  return holder
}

// --------------------------------------------------------------------------- the answer's classes; a pixel downwards

function startsOf(now, go) {
  const made = make("div", "starts")
  made.append(make("span", "caption", "Click a number on this page to see how it was made, or start from an answer:"))
  for (const { name, probability, place } of now.starts) {
    const button = make("button", "start", probability === null ? name : `${name} ${percent(probability)}`)
    if (probability !== null) button.title = exactPercent(probability)
    button.onclick = () => go(place)
    made.append(button)
  }
  return made
}

// Layers one after the other of which the same cells are reached stand as one.
function grouped(layers) {
  const groups = []
  let was = ""
  for (const layer of layers) {
    const same = JSON.stringify([layer.count, layer.of, layer.box, layer.places])
    if (same === was) groups.at(-1).last = layer
    else groups.push({ layer, last: null })
    was = same
  }
  return groups
}

function reachedOf(now, to) {
  const made = make("div", "reached")
  made.append(make("div", "caption", "Downwards: the cells that this pixel can reach, layer by layer"))
  for (const { layer, last } of grouped(now.reached)) {
    const button = make("button", "layer")
    button.dataset.testid = "reached"
    const [high, wide] = layer.places
    const frame = make("span", "frame")
    const scale = 56 / Math.max(high, wide)
    frame.style.width = `${wide * scale}px`
    frame.style.height = `${high * scale}px`
    if (layer.box) {
      const [top, left, bottom, right] = layer.box
      const box = make("span", "box")
      Object.assign(box.style, {
        left: `${left * scale}px`,
        top: `${top * scale}px`,
        width: `${Math.max(3, (right - left) * scale)}px`,
        height: `${Math.max(3, (bottom - top) * scale)}px`,
      })
      frame.append(box)
    }
    button.append(frame, make("span", "name", last ? `${layer.title} … ${last.title}` : layer.title), make("span", "muted", `${layer.count.toLocaleString("en")} of ${layer.of.toLocaleString("en")}`))
    if (layer.place) button.onclick = () => to.go(layer.place)
    made.append(button)
  }
  return [made]
}
