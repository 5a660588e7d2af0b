// All channels of the opened layer side by side, in the order asked for, a first layer's kernels under their maps. A
// click opens a channel; while "Switch off" is pressed, it switches one off or on.

const mounted = new WeakMap()
const GAP = 4
const HIGHEST = 400 // px
const SINGLE = [56, 48, 40, 32, 24, 20, 16, 14, 12, 10, 8, 6] // of single cells
const SIDES = [140, 128, 112, 96, 84, 72, 64, 56, 48, 40, 32, 28, 24, 20, 16, 14, 12, 10]

export default function ({ parentElement, data, setTriggerValue }) {
  let part = mounted.get(parentElement)
  if (!part) mounted.set(parentElement, (part = mountMosaic(parentElement, data[0])))
  part.send = setTriggerValue
  return part.unmount
}

function mountMosaic(root, where) {
  const find = (selector) => root.querySelector(selector)
  const [holder, canvas, mode] = [find(".maps"), find("canvas.all"), find(".mode")]
  const [lit, picked] = [find(".lit"), find(".picked")]
  let data = null
  let block = null
  let sheet = null
  let kernels = null
  let tiles = []
  let cursor = null // position in the order
  let saying = null
  const part = { send: () => {}, unmount }

  // The largest tiles with which all channels stand within the height that is meant for them.
  function plan(width) {
    const count = data.order.length
    const under = data.kernels ? 1 : 0
    const [high, wide] = data.tile
    const sides = high * wide === 1 ? SINGLE : SIDES
    for (const side of sides) {
      const tall = high <= wide ? side * (high / wide) : side
      const broad = wide <= high ? side * (wide / high) : side
      const gap = side < 24 ? 1 : GAP
      const step = [Math.max(4, tall) + gap, Math.max(4, broad) + gap]
      if (under) step[0] += kernelSide(side) + 2
      const most = Math.max(1, Math.min(count, Math.floor((width + gap) / step[1])))
      const rows = Math.ceil(count / most)
      const across = Math.ceil(count / rows) // rows of one length
      if (rows * step[0] <= HIGHEST || side === sides.at(-1)) return { side, tall, broad, step, across, rows }
    }
  }

  const kernelSide = (side) => Math.max(12, Math.min(36, Math.round(side / 2.5)))

  function draw() {
    if (!data || !holder.clientWidth) return
    const p = plan(holder.clientWidth)
    const [context, dense] = sized(canvas, holder.clientWidth, Math.ceil(p.rows * p.step[0]))
    const px = (v) => Math.round(v * dense)
    const { tile, across } = data
    tiles = data.order.map((channel, position) => ({
      position,
      channel,
      x: (position % p.across) * p.step[1],
      y: Math.floor(position / p.across) * p.step[0],
      width: p.broad,
      height: p.tall,
    }))
    for (const t of tiles) {
      const box = [px(t.x), px(t.y), px(t.width), px(t.height)]
      context.imageSmoothingEnabled = tile[1] > box[2]
      context.imageSmoothingQuality = "high"
      context.drawImage(
        sheet,
        (t.position % across) * tile[1],
        Math.floor(t.position / across) * tile[0],
        tile[1],
        tile[0],
        ...box,
      )
      const mark = data.off.includes(t.channel) ? "x" : data.marks[t.position]
      if (mark !== ".") drawMark(context, mark, box, dense)
      if (kernels) {
        const side = kernelSide(p.side)
        const at = [px(t.x), px(t.y + p.tall + 2), px(side), px(side)]
        drawTile(context, kernels, data.kernels, t.channel, at)
      }
    }
    outline()
    point()
  }

  function outline() {
    place(picked, tiles.find((t) => t.channel === data.channel) ?? null, 2)
  }

  function point() {
    const tile = cursor === null ? null : tiles[cursor]
    place(lit, tile ?? null, 2)
    find(".here").textContent = tile ? data.words[tile.position] : data?.hint ?? ""
    canvas.dataset.channel = tile ? tile.channel : ""
  }

  function move(to, keys) {
    if (to === cursor) return
    cursor = to
    point()
    clearTimeout(saying)
    if (keys) saying = setTimeout(() => { find(".say").textContent = find(".here").textContent }, 250)
  }

  const hit = (event) => {
    const box = canvas.getBoundingClientRect()
    return tileAt(tiles, event.clientX - box.left, event.clientY - box.top, 1)?.position ?? null
  }

  function choose(position) {
    const { channel } = tiles[position]
    if (mode.getAttribute("aria-pressed") === "true") toggle(channel)
    else {
      data = { ...data, channel }
      outline()
      tell("asked", { block: where.network })
      part.send("open", { layer: data.name, channel })
    }
  }

  function toggle(channel) {
    const off = data.off.includes(channel) ? data.off.filter((c) => c !== channel) : [...data.off, channel]
    data = { ...data, off }
    draw()
    tell("asked", { block: where.network })
    part.send("switch", { layer: data.name, channel, off: off.includes(channel) })
  }

  canvas.onpointermove = (event) => event.pointerType === "mouse" && data && move(hit(event), false)
  canvas.onpointerleave = () => move(null, false)
  canvas.onblur = () => move(null, true)
  canvas.onclick = (event) => {
    const position = data && hit(event)
    if (position !== null) choose(position)
  }
  canvas.onkeydown = (event) => {
    if (!tiles.length || isShortcut(event)) return
    const now = cursor ?? Math.max(0, tiles.findIndex((t) => t.channel === data.channel))
    const across = tiles.filter((t) => t.y === 0).length
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key]
    if (step) move(cursor === null ? now : clamp(now + step, 0, tiles.length - 1), true)
    else if (event.key === "Home") move(0, true)
    else if (event.key === "End") move(tiles.length - 1, true)
    else if (event.key === "Enter" || event.key === " ") choose(now)
    else if (event.key === "Delete" || event.key === "x") data.switchable && toggle(tiles[now].channel)
    else return
    event.preventDefault()
  }
  mode.onclick = () => {
    const on = mode.getAttribute("aria-pressed") !== "true"
    mode.setAttribute("aria-pressed", String(on))
    holder.classList.toggle("switching", on)
    find(".why").textContent = on ? "Click a map to switch it off, and again to switch it on." : ""
  }

  function show(came) {
    block = came
    if (!block.mosaic) return
    data = block.mosaic
    sheet = sheetOf({ ...data.picture, count: 1 }, block.body)
    kernels = data.kernels && sheetOf(data.kernels, block.body)
    if (cursor !== null && cursor >= data.order.length) cursor = null
    canvas.setAttribute("aria-label", data.alt)
    mode.hidden = !data.switchable && !data.level
    if (!data.switchable && mode.getAttribute("aria-pressed") === "true") mode.onclick()
    mode.classList.toggle("level", data.level)
    find(".range").textContent = data.scale.text
    find(".bar").style.background = `linear-gradient(to right, ${data.scale.bar})`
    find(".legend").textContent = data.legend
    draw()
    tell("opened", { block: where.network, ...block.opened })
  }

  const unfollow = follow(where, show)
  let width = 0
  const observer = new ResizeObserver(() => {
    if (holder.clientWidth === width) return
    width = holder.clientWidth
    draw()
  })
  observer.observe(holder)

  function unmount() {
    unfollow()
    clearTimeout(saying)
    observer.disconnect()
    mounted.delete(root)
  }
  return part
}
