// A trace: one cell's calculation, the way that led to it, and where one can go on. What it shows came in its block;
// every term, crumb and pixel asks the server for the step at its own place ("go": the whole new trail).

const mounted = new WeakMap()
const PACE = { window: 2600, terms: 2000, softmax: 2600, pool: 1600 } // milliseconds at speed 1; other forms 1000
const SIDE = matchMedia("(max-width: 759px)").matches ? 144 : 160 // px of the photo and of the map

const BY_KEYBOARD = "choose one with the arrow keys and Enter."

export default function ({ parentElement, data, setTriggerValue }) {
  let part = mounted.get(parentElement)
  if (!part) mounted.set(parentElement, (part = mountTrace(parentElement, data[0])))
  part.send = setTriggerValue
  return part.unmount
}

function mountTrace(root, where) {
  const find = (selector) => root.querySelector(selector)
  const panel = find(".trace")
  let now = null
  let shown = "" // what the message was that is shown
  const part = { send: () => {}, unmount }
  let playing = false
  let timer = null
  let focused = false // whether the keyboard was in here when a step was asked for

  const at = (trail) => (trail ? trail.split("~") : [])

  function go(trail, byHand = true) {
    if (byHand) play(false)
    const active = root.activeElement ?? document.activeElement
    focused ||= panel.contains(active) && !active.closest(".head") // photo and map stay, and with them the focus
    part.send("go", { trail })
  }
  const on = (place) => place && go([...at(now.trail), place].join("~"))
  const back = () => at(now.trail).length && go(at(now.trail).slice(0, -1).join("~"))

  // ------------------------------------------------------------------------------------------------ the parts

  function show() {
    const step = now.step
    // it does not get shorter from step to step, or the page would jump under the pointer
    panel.style.minHeight = step ? `${panel.offsetHeight}px` : ""
    panel.classList.toggle("empty", !step)
    const problem = find(".problem")
    problem.textContent = now.problem
    problem.hidden = !now.problem
    showCrumbs()
    find(".back").hidden = !step
    find(".result").hidden = !step
    showPhoto()
    showMap()
    const body = find(".body")
    if (!step) {
      body.replaceChildren(startsOf(now, (place) => go(place)))
      refocus(body)
      return
    }
    find(".title").textContent = step.title
    find(".kind").textContent = step.kind
    const total = find(".total")
    const big = ["sum", "product"].includes(step.combine) && step.form !== "end" ? step.total : step.result
    total.textContent = step.combine === "share" ? percent(step.result) : numberText(big, step.combine === "sum")
    total.title = step.combine === "share" ? exactPercent(step.result) : ""
    Object.assign(total.dataset, {
      value: step.total,
      result: step.result,
      keras: step.value,
      combine: step.combine,
      form: step.form,
      bias: step.bias ?? 0,
      place: at(now.trail).at(-1),
    })
    find(".sign").textContent = signOf(step)
    find(".after").replaceChildren(...afterOf(step))
    pointed(null)
    body.replaceChildren(...bodyOf(now, { on, go, pointed }))
    say(step.sentence)
    refocus(body)
  }

  // Who walks by keyboard goes on from the next term; where there is none, from what else can be pressed.
  function refocus(body) {
    const next = ["[data-follow]", "[data-testid=term]", "button, canvas[tabindex]"].map((what) => body.querySelector(what))
    if (focused) (next.find(Boolean) ?? find(".back")).focus()
    focused = false
  }

  // What the pointer or the keyboard is on, written out in full under the sum.
  function pointed(text) {
    find(".term").textContent = text ?? ""
  }

  function showCrumbs() {
    const places = at(now.trail)
    const crumb = (n) => {
      const made = document.createElement(n === places.length - 1 ? "span" : "button")
      made.className = "crumb"
      made.dataset.testid = "crumb"
      made.textContent = now.titles[n]
      if (n === places.length - 1) made.setAttribute("aria-current", "step")
      else {
        made.type = "button"
        made.onclick = () => go(places.slice(0, n + 1).join("~"))
      }
      return made
    }
    const all = places.map((_, n) => n)
    const long = places.length > 7
    const some = long ? [...all.slice(0, 2), null, ...all.slice(-3)] : all
    const draw = (numbers) =>
      find(".crumbs").replaceChildren(
        ...numbers.flatMap((n, position) => {
          const made = n === null ? more(() => draw(all), places.length - 5) : crumb(n)
          return position ? [document.createTextNode(" › "), made] : [made]
        }),
      )
    draw(some)
  }

  function more(open, count) {
    const button = document.createElement("button")
    button.type = "button"
    button.className = "crumb more"
    button.textContent = `… ${count} steps`
    button.onclick = open
    return button
  }

  function showPhoto() {
    const plane = hub.planes.get(now.plane)
    const figure = find(".photo")
    figure.hidden = !plane
    if (!plane) return
    const canvas = figure.querySelector("canvas")
    if (canvas.dataset.plane !== now.plane) {
      canvas.dataset.plane = now.plane
      canvas.width = plane.width
      canvas.height = plane.height
      const image = new ImageData(plane.width, plane.height)
      const grey = plane.channels === 1
      for (let n = 0; n < plane.width * plane.height; n++) {
        for (let c = 0; c < 3; c++) image.data[4 * n + c] = plane.values[n * plane.channels + (grey ? 0 : c)]
        image.data[4 * n + 3] = 255
      }
      canvas.getContext("2d").putImageData(image, 0, 0)
      fit(figure, plane.height, plane.width)
    }
    const reach = now.step?.reach
    place(figure, ".box", plane.height, plane.width, reach)
    const middle = reach ? [(reach[0] + reach[2]) >> 1, (reach[1] + reach[3]) >> 1] : [plane.height >> 1, plane.width >> 1]
    aim(figure, plane.height, plane.width, middle, ([y, x]) => go(`${now.input}:${y}.${x}.0`))
    const whole = reach && reach[2] - reach[0] >= plane.height && reach[3] - reach[1] >= plane.width
    const alone = reach && reach[2] - reach[0] === 1 && reach[3] - reach[1] === 1
    figure.querySelector("figcaption").textContent = !reach
      ? "what the network sees"
      : alone
        ? "this pixel"
        : whole
          ? "it sees the whole picture"
          : `it sees ${reach[2] - reach[0]} × ${reach[3] - reach[1]} pixels`
    const label = `The picture as the network sees it. Click a pixel to see which cells it can reach, or ${BY_KEYBOARD}`
    canvas.setAttribute("aria-label", label)
  }

  function showMap() {
    const figure = find(".map")
    const map = now.step ? now.map : null
    figure.hidden = !map
    if (!map) return
    const canvas = figure.querySelector("canvas")
    canvas.width = map.columns
    canvas.height = map.rows
    const image = new ImageData(map.columns, map.rows)
    for (let n = 0; n < map.columns * map.rows; n++) {
      const color = map.palette + 3 * now.body[map.at + n]
      for (let c = 0; c < 3; c++) image.data[4 * n + c] = now.body[color + c]
      image.data[4 * n + 3] = 255
    }
    canvas.getContext("2d").putImageData(image, 0, 0)
    const [high, wide] = map.cells
    fit(figure, high, wide)
    const [name, index] = split(at(now.trail).at(-1))
    place(figure, ".box", high, wide, [index[0], index[1], index[0] + 1, index[1] + 1])
    const take = ([y, x]) => go([...at(now.trail).slice(0, -1), `${name}:${y}.${x}.${index[2]}`].join("~"))
    aim(figure, high, wide, index, take)
    figure.querySelector("figcaption").textContent = `its map, ${numberText(map.low)} … ${numberText(map.high)}`
    const label = `The map of ${now.step.title}, ${high} × ${wide}. Click another cell of it, or ${BY_KEYBOARD}`
    canvas.setAttribute("aria-label", label)
  }

  // A figure's frame, SIDE px on its long side: a whole number of pixels a cell where there is room for one.
  function fit(figure, high, wide) {
    const most = Math.max(high, wide)
    const scale = most <= SIDE ? Math.floor(SIDE / most) : SIDE / most
    const frame = figure.querySelector(".frame")
    frame.style.width = `${Math.max(1, wide * scale)}px`
    frame.style.height = `${Math.max(1, high * scale)}px`
  }

  function place(figure, which, high, wide, box) {
    const frame = figure.querySelector(".frame")
    const mark = figure.querySelector(which)
    mark.hidden = !box
    if (box) {
      const [top, left, bottom, right] = box
      const [x, y] = [parseFloat(frame.style.width) / wide, parseFloat(frame.style.height) / high]
      const [w, h] = [Math.max((right - left) * x, 6), Math.max((bottom - top) * y, 6)] // one pixel can be seen, too
      mark.style.left = `${((left + right) / 2) * x - w / 2}px`
      mark.style.top = `${((top + bottom) / 2) * y - h / 2}px`
      mark.style.width = `${w}px`
      mark.style.height = `${h}px`
    }
  }

  // A cell of a figure's canvas to choose, by a click, or by arrow keys from the cell `from` and Enter.
  function aim(figure, high, wide, from, take) {
    const canvas = figure.querySelector("canvas")
    let cell = null
    const move = (to) => {
      cell = to && [clamp(to[0], 0, high - 1), clamp(to[1], 0, wide - 1)]
      place(figure, ".aim", high, wide, cell && [...cell, cell[0] + 1, cell[1] + 1])
      if (cell) say(`row ${cell[0]}, column ${cell[1]}`)
    }
    move(null)
    canvas.onclick = (event) => take(cellUnder(event, figure.querySelector(".frame"), high, wide))
    canvas.onblur = () => move(null)
    canvas.onkeydown = (event) => {
      if (isShortcut(event)) return
      const far = event.shiftKey ? 10 : 1
      const step = { ArrowUp: [-far, 0], ArrowDown: [far, 0], ArrowLeft: [0, -far], ArrowRight: [0, far] }[event.key]
      if (step) move(cell ? [cell[0] + step[0], cell[1] + step[1]] : [from[0] + step[0], from[1] + step[1]])
      else if (cell && (event.key === "Enter" || event.key === " ")) take(cell)
      else if (cell && event.key === "Escape") move(null)
      else return
      event.preventDefault()
      event.stopPropagation() // the panel's own keys go from term to term
    }
  }

  function cellUnder(event, frame, high, wide) {
    const box = frame.getBoundingClientRect()
    return [
      clamp(Math.floor(((event.clientY - box.top) / box.height) * high), 0, high - 1),
      clamp(Math.floor(((event.clientX - box.left) / box.width) * wide), 0, wide - 1),
    ]
  }

  let sayLater = null
  function say(sentence) {
    clearTimeout(sayLater)
    sayLater = setTimeout(() => {
      find(".say").textContent = sentence
    }, 300)
  }

  // ------------------------------------------------------------------------------------- by itself, and by keyboard

  function play(start) {
    clearTimeout(timer)
    playing = start
    showPlay()
    if (!start) return
    const next = now.step ? now.step.follow : now.start
    if (!next) return play(false)
    const wait = now.step ? (PACE[now.step.form] ?? 1000) / Number(find(".speed").value) : 0
    timer = setTimeout(() => go([...at(now.trail), next].join("~"), false), wait)
  }

  function showPlay() {
    const button = find(".play")
    const goes = now.step ? now.step.follow : now.start
    button.textContent = playing ? "Pause" : now.step ? "What made this number?" : `What made this “${now.chosen}”?`
    button.setAttribute("aria-pressed", String(playing))
    button.disabled = !playing && !goes
    find(".speed").hidden = !playing
  }

  find(".play").onclick = () => play(!playing)
  find(".speed").onchange = () => playing && play(true)
  find(".back").onclick = back
  panel.onkeydown = (event) => {
    if (event.target.matches("select, input") || isShortcut(event)) return
    if (event.key === "Escape" && playing) play(false)
    else if (event.key === "Escape" || event.key === "Backspace") back()
    else if (event.key.startsWith("Arrow")) toward(event.key)
    else if (event.key === "Enter" && event.target.matches("[role=button]")) event.target.click()
    else return
    event.preventDefault()
  }

  // Focus the nearest term in a direction.
  function toward(key) {
    const terms = [...find(".body").querySelectorAll("[data-testid=term], .part, canvas[tabindex]")]
    const here = terms.indexOf(root.activeElement ?? document.activeElement)
    if (here < 0) return terms[0]?.focus()
    const middle = (element) => {
      const box = element.getBoundingClientRect()
      return [box.left + box.width / 2, box.top + box.height / 2]
    }
    const [x, y] = middle(terms[here])
    const along = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key]
    let best = null
    for (const term of terms) {
      const [dx, dy] = middle(term).map((v, axis) => v - [x, y][axis])
      const forward = dx * along[0] + dy * along[1]
      const aside = Math.abs(dx * along[1]) + Math.abs(dy * along[0])
      if (forward > 2 && aside <= 3 * forward && (!best || forward + 3 * aside < best.cost))
        best = { term, cost: forward + 3 * aside }
    }
    best?.term.focus()
  }

  const onPlane = ({ detail }) => now && detail.digest === now.plane && showPhoto()
  document.addEventListener("cnnviz:plane", onPlane)

  function draw(block) {
    if (block.turn === shown) return
    shown = block.turn
    now = { ...block, step: numbersIn(block.step), starts: numbersIn(block.starts) }
    show()
    if (playing) play(true)
    else showPlay()
  }
  const unfollow = follow(where, draw)

  function unmount() {
    unfollow()
    document.removeEventListener("cnnviz:plane", onPlane)
    clearTimeout(timer)
    clearTimeout(sayLater)
    mounted.delete(root)
  }
  return part
}

// JSON has no NaN and no infinity: they came as texts.
function numbersIn(value, key = "") {
  if (["NaN", "Infinity", "-Infinity"].includes(value) && key !== "name") return Number(value)
  if (Array.isArray(value)) return value.map((one) => numbersIn(one))
  if (value === null || typeof value !== "object") return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, numbersIn(one, name)]))
}
