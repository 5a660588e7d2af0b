// One stage of the road: its name, its picture, shape, range and color bar; it reports where the pointer is
// and shows the rectangle that the road's cursor has on it. It computes nothing but what it draws.

const mounted = new WeakMap()
const SETTLED = 500 // milliseconds until a page that opens no longer changes its widths
const SHEET_TEXT = 14 // CSS pixels of the numbers in a sheet's cells, at most
const WHOLE = 4 // pixels of a cell from which it can be told from its neighbors
const ROOM = 1.45 // times as many pixels on the screen as came: finer ones are asked for

export default function ({ parentElement, data }) {
  let stage = mounted.get(parentElement)
  if (!stage) mounted.set(parentElement, (stage = mountStage(parentElement, data[0])))
  return stage.unmount
}

function mountStage(root, where) {
  const find = (selector) => root.querySelector(selector)
  const frame = find(".frame")
  const canvas = find("canvas")
  const box = find(".box")
  let data = null
  let picture = null
  let asking = null
  let scale = 1 // CSS pixels a cell
  let origin = [0, 0] // CSS pixels of the corner of the first cell that is not padding

  function draw() {
    if (!data || !frame.clientWidth) return
    const [rows, columns] = data.cells
    const [top, bottom, left, right] = data.pads // cells drawn round the picture
    const side = [frame.clientHeight, frame.clientWidth]
    const dense = window.devicePixelRatio || 1
    canvas.height = Math.round(side[0] * dense)
    canvas.width = Math.round(side[1] * dense)
    const ink = getComputedStyle(frame)
    const context = canvas.getContext("2d")
    scale = Math.min(side[0] / (rows + top + bottom), side[1] / (columns + left + right))
    if (scale * dense >= WHOLE) scale = Math.floor(scale * dense) / dense // all cells alike
    const indent = [(side[0] - scale * (rows + top + bottom)) / 2, (side[1] - scale * (columns + left + right)) / 2]
    origin = [indent[0] + top * scale, indent[1] + left * scale]
    const px = (v) => Math.round(v * dense)
    const [x0, y0] = [px(origin[1]), px(origin[0])]
    const [x1, y1] = [px(origin[1] + columns * scale), px(origin[0] + rows * scale)]
    const [X0, Y0, X1, Y1] = [px(indent[1]), px(indent[0]), px(side[1] - indent[1]), px(side[0] - indent[0])]
    if (top + bottom + left + right > 0) {
      hatch(context, [X0, Y0, X1 - X0, Y1 - Y0], ink.getPropertyValue("--hatch"), dense, false)
      if (scale >= 12) zeros(context, rows, columns, dense)
    }
    if (picture) enlarge(context, picture, [x0, y0, x1 - x0, y1 - y0])
    const { rows: above = [], columns: beside = [] } = data.uncovered ?? {}
    const thick = ([from, to]) => Math.max(1, px((to - from) * scale))
    unread(context, [x0, y0, x1 - x0, y1 - y0], dense, [
      ...above.map((run) => [x0, px(origin[0] + run[0] * scale), x1 - x0, thick(run)]),
      ...beside.map((run) => [px(origin[1] + run[0] * scale), y0, thick(run), y1 - y0]),
    ])
    // an edge, since a map of values near 0 is as light as the page
    frame.classList.add("drawn")
    context.strokeStyle = ink.getPropertyValue("--edge")
    context.lineWidth = dense
    context.strokeRect(X0 + dense / 2, Y0 + dense / 2, X1 - X0 - dense, Y1 - Y0 - dense)
    if (data.numbers) write(context, dense)
    place(hub.cursors.get(data.road))
  }

  // The numbers in the cells, in ink or white, whichever can be read on the color under them.
  function write(context, dense) {
    const size = Math.min(SHEET_TEXT, scale / 2.9)
    if (size < 7) return
    const under = context.getImageData(0, 0, canvas.width, canvas.height)
    context.font = `${size * dense}px ${getComputedStyle(frame).fontFamily}`
    context.textAlign = "center"
    context.textBaseline = "middle"
    data.numbers.forEach((line, y) =>
      line.forEach((text, x) => {
        const at = [(origin[1] + (x + 0.5) * scale) * dense, (origin[0] + (y + 0.5) * scale) * dense].map(Math.round)
        const pixel = 4 * (at[1] * canvas.width + at[0])
        context.fillStyle = inkOn(under.data.subarray(pixel, pixel + 3))
        context.fillText(text, at[0], at[1])
      }),
    )
  }

  function zeros(context, rows, columns, dense) {
    const [top, bottom, left, right] = data.pads
    context.fillStyle = getComputedStyle(frame).getPropertyValue("--muted")
    context.font = `${12 * dense}px sans-serif`
    context.textAlign = "center"
    context.textBaseline = "middle"
    for (let y = -top; y < rows + bottom; y++) {
      for (let x = -left; x < columns + right; x++) {
        if (y >= 0 && y < rows && x >= 0 && x < columns) continue
        context.fillText("0", (origin[1] + (x + 0.5) * scale) * dense, (origin[0] + (y + 0.5) * scale) * dense)
      }
    }
  }

  // The cursor's rectangle, at least 8 px so that one cell of many can be seen.
  function place(cursor) {
    const rectangle = data?.live && cursor?.boxes?.[data.role]
    find(".here").textContent = (data?.live && cursor?.texts?.[data.role]) || ""
    box.hidden = !rectangle
    if (!rectangle) return
    const [top, left, height, width] = rectangle.map((v) => v * scale)
    const h = Math.max(8, height),
      w = Math.max(8, width)
    box.style.transform = `translate(${origin[1] + left - (w - width) / 2}px, ${origin[0] + top - (h - height) / 2}px)`
    box.style.height = `${h}px`
    box.style.width = `${w}px`
    box.classList.toggle("pinned", Boolean(cursor.pinned))
  }

  function cellAt(event) {
    const rect = canvas.getBoundingClientRect()
    return [
      Math.floor((event.clientY - rect.top - origin[0]) / scale),
      Math.floor((event.clientX - rect.left - origin[1]) / scale),
    ]
  }

  // Where the window's panel must not reach, in pixels from the top of the screen; above a sheet it covers nothing.
  const bottom = () => (data.sheet ? null : canvas.getBoundingClientRect().bottom)

  function point(action, event) {
    const [row, column] = cellAt(event)
    tell("point", { road: data.road, stage: data.role, row, column, action, bottom: bottom() })
  }

  canvas.onpointermove = (event) => {
    if (data.live) point(event.buttons && event.pointerType !== "mouse" ? "drag" : "hover", event)
  }
  canvas.onpointerleave = () => data.live && tell("point", { road: data.road, stage: data.role, action: "leave" })
  canvas.onclick = (event) => data.live && point("pin", event)
  canvas.onkeydown = (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }
    const far = event.shiftKey ? 10 : 1
    if (!data.live || isShortcut(event)) return
    if (moves[event.key]) {
      const [rows, columns] = moves[event.key]
      tell("point", { road: data.road, stage: data.role, row: rows * far, column: columns * far, action: "move", bottom: bottom() })
    } else if (event.key === "Escape") tell("point", { road: data.road, stage: data.role, action: "free" })
    else if (event.key === "Enter" || event.key === " ")
      tell("point", { road: data.road, stage: data.role, action: "keep" })
    else return
    event.preventDefault()
  }

  function loadPicture() {
    const plane = hub.planes.get(data.plane)
    if (!plane) return
    picture = planePicture(plane, data.channel)
    draw()
  }

  const tip = find(".tip")
  tip.textContent = byTouch() ? "tap the picture" : "move over the picture"
  const onPoint = ({ detail }) => {
    if (detail.action !== "leave") tip.hidden = true
  }
  const onCursor = ({ detail }) => data && detail.road === data.road && place(detail)
  const onPlane = ({ detail }) => data && detail.digest === data.plane && !data.picture && loadPicture()
  const onSeek = ({ detail }) => {
    if (data?.live && !data.sheet && detail.road === data.road && detail.stage === data.role) frame.scrollIntoView({ block: "center" })
  }
  document.addEventListener("cnnviz:cursor", onCursor)
  document.addEventListener("cnnviz:seek", onSeek)
  document.addEventListener("cnnviz:point", onPoint)
  document.addEventListener("cnnviz:plane", onPlane)
  const observer = new ResizeObserver(draw)
  observer.observe(frame)

  // Whether there are cells that were not sent, and the screen has room for them.
  function coarse() {
    const sent = Math.max(data.picture?.rows, data.picture?.columns)
    const room = Math.max(frame.clientWidth, frame.clientHeight) * (window.devicePixelRatio || 1)
    return sent < Math.max(...data.cells) && sent * ROOM < room
  }

  function show(block) {
    const before = data
    if (!block.stages[where.name]) return
    data = block.stages[where.name]
    find(".name").textContent = data.title
    find(".sub").textContent = data.sub
    find(".shape").textContent = data.shape
    find(".range").textContent = data.range
    const bar = find(".bar")
    bar.hidden = !data.bar
    bar.style.background = data.bar ? `linear-gradient(to right, ${data.bar})` : ""
    find(".note").textContent = data.note
    const [top, bottom, left, right] = data.pads
    const [high, wide] = [data.cells[0] + top + bottom, data.cells[1] + left + right]
    frame.parentElement.classList.toggle("sheet", data.sheet)
    const longest = Math.max(...(data.numbers ?? []).flat().map((text) => textWidth(text, SHEET_TEXT)), 0)
    const cell = Math.ceil(Math.max(36, longest + 6))
    frame.style.minWidth = data.sheet ? `${cell * wide}px` : ""
    frame.style.maxWidth = data.sheet ? `${Math.max(44, cell) * wide}px` : ""
    frame.style.aspectRatio = data.sheet ? `${wide} / ${high}` : ""
    frame.style.setProperty("--ratio", clamp(wide / high, 1, 4)) // on phones no stage has to line up with another
    frame.parentElement.classList.toggle("arrow", data.arrow)
    canvas.dataset.stage = data.role
    canvas.dataset.testid = data.sheet ? "map" : "stage"
    canvas.setAttribute("role", data.live ? "application" : "img")
    canvas.setAttribute("aria-label", data.alt)
    canvas.tabIndex = data.live ? 0 : -1
    canvas.classList.toggle("live", data.live)
    if (!before) tip.hidden = !(data.live && data.role === "map" && !data.sheet) || hintSeen()
    if (data.picture) {
      picture = levelsPicture(data.picture, block.body)
      draw()
      clearTimeout(asking)
      asking = setTimeout(() => coarse() && block.coarse(), SETTLED)
    } else if (picture && before?.plane === data.plane && before.channel === data.channel) draw()
    else loadPicture()
  }
  const unfollow = follow(where, show)

  return {
    unmount() {
      unfollow()
      clearTimeout(asking)
      document.removeEventListener("cnnviz:cursor", onCursor)
      document.removeEventListener("cnnviz:seek", onSeek)
      document.removeEventListener("cnnviz:point", onPoint)
      document.removeEventListener("cnnviz:plane", onPlane)
      observer.disconnect()
      mounted.delete(root)
    },
  }
}

// Numbers of colors and their palette, or RGB, as a picture.
function levelsPicture({ rows, columns, at, palette }, body) {
  const pixels = new ImageData(columns, rows)
  const colors = new Uint32Array(pixels.data.buffer)
  const opaque = (from) => 0xff000000 | (body[from + 2] << 16) | (body[from + 1] << 8) | body[from]
  if (palette === null) for (let i = 0; i < colors.length; i++) colors[i] = opaque(at + 3 * i)
  else {
    const table = Uint32Array.from({ length: 256 }, (_, level) => opaque(palette + 3 * level))
    for (let i = 0; i < colors.length; i++) colors[i] = table[body[at + i]]
  }
  return onSheet(pixels)
}

// The plane as a picture: in color, or one channel in grey.
function planePicture(plane, channel) {
  const pixels = new ImageData(plane.width, plane.height)
  for (let i = 0, j = 0; j < pixels.data.length; i += plane.channels, j += 4) {
    for (let c = 0; c < 3; c++) {
      pixels.data[j + c] =
        channel === "rgb"
          ? plane.values[i + c]
          : channel === "luminance"
            ? luminance(plane.values[i], plane.values[i + 1], plane.values[i + 2])
            : plane.values[i + channel]
    }
    pixels.data[j + 3] = 255
  }
  return onSheet(pixels)
}

// Cells that can be told apart keep their edges. Smaller ones are drawn finer than the screen is and smoothly reduced,
// or some would be one pixel wide and some two, and make patterns that are not in the map.
function enlarge(context, picture, [x, y, width, height]) {
  const factor = Math.max(width / picture.width, height / picture.height)
  context.imageSmoothingQuality = "high"
  context.imageSmoothingEnabled = factor < WHOLE && factor !== 1
  if (!context.imageSmoothingEnabled || factor < 1) return context.drawImage(picture, x, y, width, height)
  const fine = document.createElement("canvas")
  const times = Math.ceil(factor)
  fine.width = picture.width * times
  fine.height = picture.height * times
  const sheet = fine.getContext("2d")
  sheet.imageSmoothingEnabled = false
  sheet.drawImage(picture, 0, 0, fine.width, fine.height)
  context.drawImage(fine, x, y, width, height)
}

function onSheet(pixels) {
  const sheet = document.createElement("canvas")
  sheet.width = pixels.width
  sheet.height = pixels.height
  sheet.getContext("2d").putImageData(pixels, 0, 0)
  return sheet
}

// What no window reads is cross-hatched, in ink and in white, so that it shows on any picture.
function unread(context, picture, dense, strips) {
  if (!strips.length) return
  context.save()
  context.beginPath()
  for (const strip of strips) context.rect(...strip)
  context.clip()
  hatch(context, picture, "#FFFFFF33", dense, true, dense)
  hatch(context, picture, "#1F243044", dense, true)
  context.restore()
}

// Lines at 45 degrees, or crossed.
function hatch(context, [x, y, width, height], color, dense, crossed, shift = 0) {
  context.save()
  context.beginPath()
  context.rect(x, y, width, height)
  context.clip()
  context.translate(shift, 0)
  context.strokeStyle = color
  context.lineWidth = dense
  const step = 5 * dense
  context.beginPath()
  for (let d = -height; d < width; d += step) {
    context.moveTo(x + d, y + height)
    context.lineTo(x + d + height, y)
    if (crossed) {
      context.moveTo(x + d, y)
      context.lineTo(x + d + height, y + height)
    }
  }
  context.stroke()
  context.restore()
}
