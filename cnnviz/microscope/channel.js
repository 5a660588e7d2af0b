// One channel of the opened layer, enlarged, beside the network's input: the pointer's cell, its value as computed, and
// what of the input it is made from; and the kernels that made the channel. While the pointer moves nothing is asked.

const mounted = new WeakMap()

export default function ({ parentElement, data, setTriggerValue }) {
  let part = mounted.get(parentElement)
  if (!part) mounted.set(parentElement, (part = mountChannel(parentElement, data[0])))
  part.send = setTriggerValue
  return part.unmount
}

function mountChannel(root, where) {
  const find = (selector) => root.querySelector(selector)
  const photo = find(".photo")
  const map = find(".channel")
  const canvas = map.querySelector("canvas")
  const [field, cell] = [photo.querySelector(".box"), map.querySelector(".box")]
  let data = null
  let body = null
  let values = null
  let sheets = {}
  let reach = null // what the held cell really depends on
  let cursor = null // [row, column]
  let saying = null
  const part = { send: () => {}, unmount }

  // The picture in the middle of its square frame: CSS pixels a cell, and the corner of the first one.
  function geometry(frame, { rows, columns }) {
    const scale = frame.clientWidth / Math.max(rows, columns)
    return { scale, left: (frame.clientWidth - columns * scale) / 2, top: (frame.clientHeight - rows * scale) / 2 }
  }

  function paint(stage, picture, sheet) {
    const frame = stage.querySelector(".frame")
    if (!frame.clientWidth || !sheet) return
    const [context, dense] = sized(stage.querySelector("canvas"), frame.clientWidth, frame.clientHeight)
    const { scale, left, top } = geometry(frame, picture)
    const box = [left, top, picture.columns * scale, picture.rows * scale].map((v) => Math.round(v * dense))
    drawTile(context, sheet, picture, 0, box)
  }

  function draw() {
    if (!data) return
    paint(photo, data.photo, sheets.photo)
    paint(map, data.picture, sheets.map)
    if (reach) overlay()
    point()
  }

  // The effective receptive field of the held cell: what does not count is greyed out.
  function overlay() {
    const frame = photo.querySelector(".frame")
    const context = photo.querySelector("canvas").getContext("2d")
    const dense = window.devicePixelRatio || 1
    const { scale, left, top } = geometry(frame, data.photo)
    const box = [left, top, data.photo.columns * scale, data.photo.rows * scale].map((v) => Math.round(v * dense))
    drawTile(context, sheets.effective, reach, 0, box)
  }

  function point() {
    const at = cursor ?? (data?.pin && data.pin)
    canvas.dataset.row = at ? at[0] : ""
    canvas.dataset.column = at ? at[1] : ""
    if (!data || !at || !values) {
      field.hidden = cell.hidden = true
      map.querySelector(".here").textContent = data ? data.hint : ""
      photo.querySelector(".here").textContent = reach?.words ?? ""
      if (reach) put(cell, map.querySelector(".frame"), data.picture, around(reach.cell), 8)
      canvas.dataset.value = ""
      return
    }
    const [row, column] = at
    const value = values[row * data.picture.columns + column]
    canvas.dataset.value = value
    map.querySelector(".here").replaceChildren(
      Object.assign(document.createElement("b"), { textContent: numberText(value, data.signed) }),
      ` at row ${row}, column ${column}`,
    )
    put(cell, map.querySelector(".frame"), data.picture, around(at), 8)
    cell.classList.toggle("pinned", !cursor && Boolean(data.pin))
    const seen = data.fields && sees(row, column)
    if (!seen) field.hidden = true
    else {
      const [top, bottom, left, right] = seen
      put(field, photo.querySelector(".frame"), data.photo, seen, 8)
      const whole = bottom - top >= data.photo.rows && right - left >= data.photo.columns
      photo.querySelector(".here").textContent = whole
        ? "it sees the whole input"
        : `it sees rows ${top}–${bottom - 1}, columns ${left}–${right - 1}`
    }
  }

  const around = ([row, column]) => [row, row + 1, column, column + 1]

  function sees(row, column) {
    const { rows, columns, vector } = data.fields
    const [y, x] = vector ? [data.channel, data.channel] : [row, column]
    const box = [...rows[y], ...columns[x]]
    return [Math.max(0, box[0]), Math.min(data.photo.rows, box[1]), Math.max(0, box[2]), Math.min(data.photo.columns, box[3])]
  }

  function put(box, frame, picture, [y0, y1, x0, x1], least) {
    const { scale, left, top } = geometry(frame, picture)
    const [height, width] = [(y1 - y0) * scale, (x1 - x0) * scale]
    const [h, w] = [Math.max(least, height), Math.max(least, width)]
    box.hidden = false
    box.style.transform = `translate(${left + x0 * scale - (w - width) / 2}px, ${top + y0 * scale - (h - height) / 2}px)`
    box.style.height = `${h}px`
    box.style.width = `${w}px`
  }

  function cellAt(event) {
    const frame = map.querySelector(".frame")
    const { scale, left, top } = geometry(frame, data.picture)
    const rect = frame.getBoundingClientRect()
    const row = Math.floor((event.clientY - rect.top - top) / scale)
    const column = Math.floor((event.clientX - rect.left - left) / scale)
    return row >= 0 && column >= 0 && row < data.picture.rows && column < data.picture.columns ? [row, column] : null
  }

  function move(to) {
    cursor = to
    point()
  }

  canvas.onpointermove = (event) => data && move(cellAt(event))
  canvas.onpointerleave = () => data && move(null)
  canvas.onblur = () => data && move(null)
  canvas.onclick = (event) => {
    const at = data && cellAt(event)
    if (at) hold(at)
  }
  canvas.onkeydown = (event) => {
    if (!data || isShortcut(event)) return
    const far = event.shiftKey ? 10 : 1
    const step = { ArrowUp: [-far, 0], ArrowDown: [far, 0], ArrowLeft: [0, -far], ArrowRight: [0, far] }[event.key]
    const at = cursor ?? data.pin ?? [Math.floor(data.picture.rows / 2), Math.floor(data.picture.columns / 2)]
    if (step) {
      move([clamp(at[0] + step[0], 0, data.picture.rows - 1), clamp(at[1] + step[1], 0, data.picture.columns - 1)])
      clearTimeout(saying)
      saying = setTimeout(() => {
        find(".say").textContent = `${map.querySelector(".here").textContent}, ${photo.querySelector(".here").textContent}`
      }, 250)
    } else if (event.key === "Enter" || event.key === " ") hold(at)
    else if (event.key === "Escape") {
      const held = data.pin
      data = { ...data, pin: null }
      move(null)
      if (held) part.send("trace", "")
    } else return
    event.preventDefault()
  }

  function hold([row, column]) {
    data = { ...data, pin: [row, column] }
    cursor = null
    point()
    part.send("trace", `${data.name},${row},${column},${data.channel}`)
  }

  // ------------------------------------------------------------------------------------------------ kernels

  // What a layer without weights makes a channel from: the same channel of what it gets, if its maps have come.
  function listSources() {
    const { network, body: bytes } = hub.blocks.get(where.network) ?? {}
    const own = network?.layers.find((layer) => layer.name === data.name)
    const sources = network?.fits && own ? network.layers.filter((layer) => own.inputs.includes(layer.name)) : []
    const alike = sources.filter((layer) => layer.picture?.count === own.count)
    find(".kernels").hidden = !alike.length
    find(".kernels .name").textContent = "Made from"
    find(".kernels .sub").textContent = alike.length > 1 ? "the same channel of all its inputs" : "the same channel before it"
    find(".list").replaceChildren(
      ...alike.map((layer) => {
        const row = document.createElement("div")
        row.className = "plane"
        row.append(tile(layer.picture, sheetOf(layer.picture, bytes), placeOf(layer, data.channel), layer.vector ? 48 : 128))
        const words = document.createElement("div")
        words.append(layer.title, document.createElement("br"), `colors ${layer.scale.text}`)
        row.append(words)
        return row
      }),
    )
  }

  function listKernels() {
    find(".kernels").classList.toggle("sources", !data.kernels)
    if (!data.kernels) return listSources()
    const list = find(".list")
    const planes = data.kernels.planes
    find(".kernels").hidden = false
    find(".kernels .name").textContent = data.kernels.title
    find(".kernels .sub").textContent = data.kernels.sub
    find(".kernels .note").textContent = data.kernels.note
    find(".kernels .kbar").style.background = `linear-gradient(to right, ${data.kernels.scale.bar})`
    find(".kernels .range").textContent = data.kernels.scale.text
    const maps = hub.blocks.get(where.network)?.network
    const source = maps?.fits ? maps.layers.find((layer) => layer.name === data.kernels.source) : null
    const sheet = source?.picture && sheetOf(source.picture, hub.blocks.get(where.network).body)
    list.replaceChildren(
      ...planes.map((plane) => {
        const row = document.createElement("div")
        row.className = "plane"
        const n = sheet && !source.vector ? placeOf(source, plane.input) : -1
        if (n >= 0 && n < source.picture.count) row.append(tile(source.picture, sheet, n, 36))
        if (plane.picture) row.append(tile(plane.picture, sheetOf(plane.picture, body), 0, 36))
        const words = document.createElement("div")
        words.append(Object.assign(document.createElement("div"), { textContent: plane.title }))
        const track = document.createElement("div")
        track.className = "strength"
        track.style.setProperty("--share", plane.share)
        words.append(track)
        row.append(words)
        row.title = plane.words
        return row
      }),
    )
  }

  // Where a channel stands among the maps that came of a layer; -1 if only the strongest came, and it is not one of them.
  const placeOf = (layer, channel) => layer.shown?.indexOf(channel) ?? channel

  function tile(picture, sheet, n, side) {
    const made = document.createElement("canvas")
    const largest = Math.max(picture.rows, picture.columns)
    const [context] = sized(made, (side * picture.columns) / largest, (side * picture.rows) / largest)
    drawTile(context, sheet, picture, n, [0, 0, made.width, made.height])
    return made
  }

  function show(block) {
    if (!block.channel) return
    // the same bytes once more (the theme has changed) know of no cell that was held since
    data = block.bytes === body?.of ? { ...block.channel, pin: data.pin } : block.channel
    body = Object.assign(block.body, { of: block.bytes })
    sheets = {
      photo: sheetOf({ ...data.photo, count: 1 }, body),
      map: sheetOf({ ...data.picture, count: 1 }, body),
    }
    reach = null
    values = floats(body, data.valuesAt, data.picture.rows * data.picture.columns)
    cursor = null
    for (const [stage, said] of [
      [photo, data.photo],
      [map, data],
    ]) {
      stage.querySelector(".name").textContent = said.title
      stage.querySelector(".sub").textContent = said.sub
      stage.querySelector(".shape").textContent = said.shape
      stage.querySelector(".range").textContent = said.range
      const bar = stage.querySelector(".bar")
      bar.hidden = !said.bar
      bar.style.background = said.bar ? `linear-gradient(to right, ${said.bar})` : ""
    }
    canvas.setAttribute("aria-label", data.alt)
    map.classList.toggle("single", data.single)
    map.querySelector(".figure").textContent = data.single ? numberText(values[0], data.signed) : ""
    photo.querySelector("canvas").setAttribute("aria-label", data.photo.alt)
    listKernels()
    draw()
  }

  // How little each pixel counts, as a veil of the page's ground over it.
  function veil({ rows, columns, at }, bytes) {
    const pixels = new ImageData(columns, rows)
    for (let i = 0; i < rows * columns; i++) pixels.data.set([20, 23, 28, Math.round(0.85 * (254 - Math.min(254, bytes[at + i])))], 4 * i)
    const sheet = document.createElement("canvas")
    sheet.width = columns
    sheet.height = rows
    sheet.getContext("2d").putImageData(pixels, 0, 0)
    return sheet
  }

  // It comes later than the rest, or not at all.
  function showReach({ effective, body: bytes }) {
    if (!data || effective.name !== data.name || effective.channel !== data.channel) return
    reach = effective
    sheets.effective = veil(reach, bytes)
    draw()
  }

  const unfollow = follow(where, show)
  const unfollowReach = follow({ block: `${where.block}_reach` }, showReach)
  const onBlock = ({ detail }) => detail.block === where.network && data && listKernels()
  document.addEventListener("cnnviz:block", onBlock)
  const observer = new ResizeObserver(draw)
  for (const frame of root.querySelectorAll(".frame")) observer.observe(frame)

  function unmount() {
    unfollow()
    unfollowReach()
    clearTimeout(saying)
    document.removeEventListener("cnnviz:block", onBlock)
    observer.disconnect()
    mounted.delete(root)
  }
  return part
}
