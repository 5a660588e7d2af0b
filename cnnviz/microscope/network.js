// The network on one screen: every map of every layer, drawn on one canvas, and the answer beside it. It shows what
// came in its block, says what the pointer or the arrow keys are on without asking anybody, and reports what is opened.

const mounted = new WeakMap()
const SLOW = 1000 // milliseconds without an answer after which words say so
const CARD = 136 // px of the enlarged map beside the pointer

export default function ({ parentElement, data, setTriggerValue }) {
  let part = mounted.get(parentElement)
  if (!part) mounted.set(parentElement, (part = mountNetwork(parentElement, data[0])))
  part.send = setTriggerValue
  return part.unmount
}

function mountNetwork(root, where) {
  const find = (selector) => root.querySelector(selector)
  const [holder, canvas, card] = [find(".maps"), find("canvas.all"), find(".card")]
  const [lit, opened, picked] = [find(".lit"), find(".opened"), find(".picked")]
  const seen = [0, 1, 2, 3].map(() => Object.assign(document.createElement("div"), { className: "seen", hidden: true }))
  lit.before(...seen) // on the input's maps: what the cell under the pointer is made from
  let data = null
  let body = null
  let sheets = []
  let plan = null
  let named = { of: "", lines: [] } // what stands over the layers, and what that depends on
  let words = null // of the map that the pointer or the keyboard is on
  let cursor = null // {layer, n, row, column}: what the pointer or the keyboard is on; no row and column for the latter
  let byKeys = false
  let saying = null
  let waiting = null
  const part = { send: () => {}, unmount }

  // ------------------------------------------------------------------------------------------------ drawing

  function draw() {
    if (!data || !holder.clientWidth) return
    plan = arrange(data.layers, holder.clientWidth, data.fits, data.paired)
    const walk = plan.kind === "rows" ? "Up and down: layers. Left and right: channels." : "Left and right: layers. Up and down: channels."
    canvas.setAttribute("aria-label", `${data.alt} ${walk} Enter opens a layer, Escape goes back.`)
    const [context, dense] = sized(canvas, holder.clientWidth, plan.height)
    const style = getComputedStyle(holder)
    const [ink, muted, line, font] = ["color", "--muted", "--line", "font-family"].map((name) => style.getPropertyValue(name))
    const px = (v) => Math.round(v * dense)
    const pale = (layer) => (data.explicit && data.opened && data.layers[layer].name !== data.opened ? 0.75 : 1)
    for (const arc of plan.arcs) drawArc(context, arc, muted, dense)
    for (const tile of plan.tiles) {
      const layer = data.layers[tile.layer]
      const box = [px(tile.x), px(tile.y), px(tile.x + tile.width) - px(tile.x), px(tile.y + tile.height) - px(tile.y)]
      context.globalAlpha = pale(tile.layer)
      if (layer.picture) drawTile(context, sheets[tile.layer], layer.picture, tile.n, box)
      const mark = layer.off.includes(channelOf(tile)) ? "x" : layer.marks[layer.shown ? channelOf(tile) : tile.n]
      if (mark && mark !== ".") drawMark(context, mark, box, dense)
    }
    context.globalAlpha = 1
    context.textBaseline = "alphabetic"
    nameHeads(context, font, dense)
    for (const head of plan.heads) writeHead(context, head, ink, muted, font, dense)
    const free = [-9, -9, -9] // right ends of the numbers in the lines under the bars
    for (const bar of plan.bars) {
      paintBar(context, bar, dense)
      context.font = `${12 * dense}px ${font}`
      context.fillStyle = muted
      const wide = context.measureText(bar.text).width / dense
      const x = bar.tight ? bar.x : clamp(bar.x + (bar.width - wide) / 2, 0, Math.max(0, plan.width - wide))
      const row = bar.tight ? 0 : free.findIndex((end) => x > end + 4)
      if (row < 0) continue
      free[row] = x + wide
      context.fillText(bar.text, x * dense, (bar.y + 18 + row * 14) * dense)
    }
    context.font = `${12 * dense}px ${font}`
    let end = -1
    for (const block of plan.blocks) {
      const wide = context.measureText(block.title).width / dense
      if (!block.title || block.left < end + 6) continue
      context.fillStyle = muted
      context.fillText(block.title, block.left * dense, 12 * dense)
      end = block.left + wide
      context.fillStyle = line
      context.fillRect(block.left * dense, 17 * dense, (block.right - block.left) * dense, dense)
    }
    outline()
    point()
  }

  // What stands over each layer: its name, where there is no room for that cut so that no two read the same. That takes
  // tens of milliseconds for hundreds of layers, so it is kept until other numbers come or the width changes.
  function nameHeads(context, font, dense) {
    const heads = plan.kind === "columns" ? [] : plan.heads
    const of = [data.id, plan.width, plan.kind, dense, font].join()
    if (of !== named.of) {
      context.font = `600 ${13 * dense}px ${font}`
      const titles = heads.map((head) => data.layers[head.layer].title)
      named = { of, lines: distinct(context, titles, heads.map((head) => head.width * dense), plan.kind === "road" ? 2 : 1) }
    }
    heads.forEach((head, n) => { head.lines = named.lines[n] })
  }

  function writeHead(context, head, ink, muted, font, dense) {
    const layer = data.layers[head.layer]
    const now = layer.name === data.opened
    context.fillStyle = ink
    context.font = `${now ? "600 " : ""}${(head.upright ? 12 : 13) * dense}px ${font}`
    if (head.upright) {
      context.save()
      context.translate((head.x + head.width / 2 + 4) * dense, (head.y + head.height - 2) * dense)
      context.rotate(-Math.PI / 2)
      context.fillText(layer.short, 0, 0)
      context.restore()
      return
    }
    const lines = head.lines ?? [fitted(context, layer.short, head.width * dense)]
    const base = (head.y + head.height - (plan.kind === "columns" ? 4 : 6)) * dense
    lines.forEach((line, n) => context.fillText(line, head.x * dense, base - (lines.length - 1 - n) * 15 * dense))
    if (head.shape) {
      const from = context.measureText(lines[0]).width + 8 * dense
      context.font = `${12 * dense}px ${font}`
      context.fillStyle = muted
      const text = `${layer.shape} · ${layer.scale.text}`
      context.fillText(fitted(context, text, head.width * dense - from), head.x * dense + from, base)
    }
  }

  // ------------------------------------------------------------------------------------- what the pointer is on

  const channelOf = ({ layer, n }) => (data.layers[layer].folded ? -1 : data.layers[layer].shown?.[n] ?? n)
  const tileOf = ({ layer, n }) => plan.tiles.find((t) => t.layer === layer && t.n === n) ?? plan.tiles.find((t) => t.layer === layer)

  function outline() {
    const index = data.layers.findIndex((layer) => layer.name === data.opened)
    const own = index < 0 ? [] : plan.tiles.filter((tile) => tile.layer === index)
    if (!own.length) {
      place(opened, null)
      place(picked, null)
      return
    }
    const [left, top] = [Math.min(...own.map((t) => t.x)), Math.min(...own.map((t) => t.y))]
    const right = Math.max(...own.map((t) => t.x + t.width))
    const bottom = Math.max(...own.map((t) => t.y + t.height))
    place(opened, { x: left, y: top, width: right - left, height: bottom - top }, 3)
    place(picked, plan.kind === "road" ? null : own.find((t) => channelOf(t) === data.channel), 2)
  }

  function point() {
    const tile = cursor && plan && data.layers[cursor.layer] ? tileOf(cursor) : null
    place(lit, tile, 2)
    card.hidden = !tile || (plan.kind === "rows" && !data.paired)
    canvas.title = tile && cursor.head ? data.layers[tile.layer].title : "" // it may be cut
    words = tile ? describe(tile) : null
    canvas.dataset.layer = tile ? data.layers[tile.layer].name : ""
    canvas.dataset.channel = tile ? channelOf(tile) : ""
    if (tile && !card.hidden) fillCard(tile)
    pointCell(tile)
    if (tile && !card.hidden) placeCard(tile)
  }

  // The part of it that follows the pointer within a map.
  function pointCell(tile) {
    const cell = tile && cursor.row !== undefined ? cellOf(data.layers, channelOf(tile), cursor, body) : null
    const lines = cell ? [cell.text, ...(cell.field ? [cell.field.words] : [])] : []
    find(".here").textContent = words ? [words.title, ...lines, ...words.lines].join(" · ") : data?.hint ?? ""
    find(".here").classList.toggle("hint", !words)
    card.querySelector(".cell").replaceChildren(
      ...lines.map((text) => Object.assign(document.createElement("div"), { textContent: text })),
    )
    canvas.dataset.row = cell ? cursor.row : ""
    canvas.dataset.column = cell ? cursor.column : ""
    canvas.dataset.value = cell ? cell.value : ""
    const into = cell?.field ? plan.tiles.filter((one) => one.layer === 0) : []
    seen.forEach((box, n) => place(box, into[n] ? cell.field.on(into[n]) : null))
    const at = card.querySelector(".at")
    at.hidden = !cell || card.querySelector("canvas").hidden
    if (at.hidden) return
    const { rows, columns } = data.layers[tile.layer].picture
    const step = CARD / Math.max(rows, columns)
    const side = Math.max(6, step)
    const shift = (side - step) / 2
    place(at, { x: cursor.column * step - shift, y: cursor.row * step - shift, width: side, height: side }, 1)
  }

  function describe(tile) {
    const layer = data.layers[tile.layer]
    const channel = channelOf(tile)
    const lines = []
    if (layer.stats) {
      const [least, largest, mean, zeros] = layer.stats.map((values) => values[tile.n])
      if (layer.vector) lines.push(`value ${numberText(mean)}`)
      else {
        lines.push(`${numberText(least)} … ${numberText(largest)}`, `mean ${numberText(mean)}`)
        lines.push(`${percent(zeros)} of the cells are 0`)
      }
    }
    lines.push(layer.shape)
    const mark = layer.off.includes(channel) ? "x" : layer.marks[layer.shown ? channel : tile.n]
    if (mark === "x") lines.push("switched off")
    if (mark === "n") lines.push(layer.words.n)
    if (mark === "d") lines.push(layer.words.d)
    if (mark === "s") lines.push(layer.words.s)
    const unit = layer.units?.[channel] ?? (layer.vector ? `unit ${channel}` : `channel ${channel}`)
    const what = layer.pictured || (layer.count > 1 || layer.vector ? unit : "")
    return { title: what ? `${layer.title}, ${what}` : layer.title, lines }
  }

  function fillCard(tile) {
    const layer = data.layers[tile.layer]
    const { rows, columns } = layer.picture
    const large = card.querySelector("canvas")
    const factor = CARD / Math.max(rows, columns)
    const [context, dense] = sized(large, Math.round(columns * factor), Math.round(rows * factor))
    large.hidden = layer.vector
    drawTile(context, sheets[tile.layer], layer.picture, tile.n, [0, 0, large.width, large.height])
    card.querySelector(".name").textContent = words.title
    card.querySelector(".lines").replaceChildren(...words.lines.map((text) => Object.assign(document.createElement("div"), { textContent: text })))
  }

  function placeCard(tile) {
    const high = card.offsetHeight
    const wide = card.offsetWidth
    const right = tile.x + tile.width + 12
    const x = right + wide <= holder.clientWidth ? right : Math.max(0, tile.x - wide - 12)
    card.style.transform = `translate(${x}px, ${clamp(tile.y + tile.height / 2 - high / 2, 0, Math.max(0, plan.height - high))}px)`
  }

  function move(to, keys) {
    const same = to?.layer === cursor?.layer && to?.n === cursor?.n && keys === byKeys
    if (same && to?.row === cursor?.row && to?.column === cursor?.column) return
    cursor = to
    byKeys = keys
    if (same && words) pointCell(tileOf(cursor))
    else point()
    clearTimeout(saying)
    if (keys) saying = setTimeout(() => { find(".say").textContent = find(".here").textContent }, 250)
  }

  function hit(event) {
    const box = canvas.getBoundingClientRect()
    const [x, y] = [event.clientX - box.left, event.clientY - box.top]
    const tile = tileAt(plan.tiles, x, y)
    if (tile) {
      const { rows = 1, columns = 1 } = data.layers[tile.layer].picture ?? {}
      const row = clamp(Math.floor(((y - tile.y) / tile.height) * rows), 0, rows - 1)
      return { layer: tile.layer, n: tile.n, row, column: clamp(Math.floor(((x - tile.x) / tile.width) * columns), 0, columns - 1) }
    }
    const head = tileAt(plan.heads, x, y, 0)
    return head ? { layer: head.layer, n: 0, head: true } : null
  }

  canvas.onpointermove = (event) => plan && event.pointerType === "mouse" && move(hit(event), false)
  canvas.onpointerleave = () => !byKeys && move(null, false)
  canvas.onblur = () => byKeys && move(null, true)
  canvas.onclick = (event) => {
    const found = plan && hit(event)
    if (found) open(found)
    else if (data?.explicit) close()
  }
  canvas.onkeydown = (event) => {
    if (!plan || !data.layers.length || isShortcut(event)) return
    const start = cursor ?? { layer: Math.max(0, data.layers.findIndex((layer) => layer.name === data.opened)), n: 0 }
    const count = (layer) => (plan.kind === "road" ? 1 : Math.max(1, data.layers[layer].picture?.count ?? 1))
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
    let step = steps[event.key]
    if (step && plan.kind === "rows") step = [step[1], step[0]]
    if (step) {
      if (!cursor) move(start, true)
      else {
        const layer = clamp(start.layer + step[0], 0, data.layers.length - 1)
        move({ layer, n: clamp(start.n + step[1], 0, count(layer) - 1) }, true)
      }
    } else if (event.key === "Home") move({ layer: 0, n: 0 }, true)
    else if (event.key === "End") move({ layer: data.layers.length - 1, n: 0 }, true)
    else if (event.key === "Enter" || event.key === " ") open(start)
    else if (event.key === "Escape") close()
    else return
    event.preventDefault()
  }

  function open({ layer, n, head }) {
    const { name, peer, count, shown, folded } = data.layers[layer]
    const channel = plan.kind === "road" || head || folded || count === 1 ? null : shown?.[n] ?? n
    data = { ...data, opened: name, explicit: true, channel: channel ?? data.channel }
    draw()
    wait()
    part.send("open", { layer: peer ?? name, channel: peer ? null : channel })
  }

  function close() {
    move(null, byKeys)
    if (!data.explicit) return
    wait()
    part.send("open", { layer: "", channel: null })
  }

  // After a second without an answer words say that somebody is at work; hub.asked is told by every part of the page.
  function wait() {
    clearTimeout(waiting)
    find(".wait").textContent = ""
    waiting = setTimeout(() => { find(".wait").textContent = "The network is at work …" }, SLOW)
  }

  function rest() {
    clearTimeout(waiting)
    find(".wait").textContent = ""
  }

  // ------------------------------------------------------------------------------------------------ what came

  function show(block) {
    rest()
    const next = block.network
    const first = !data || data.id !== next.id
    data = next
    if (first) {
      body = block.body
      sheets = data.layers.map((layer) => layer.picture && sheetOf(layer.picture, body))
      if (cursor && !data.layers[cursor.layer]) cursor = null
    }
    for (const layer of data.layers) { // they came anew, if only to say what is opened
      const count = layer.picture?.count ?? 0
      layer.stats = layer.statsAt === null || layer.statsAt === undefined ? null : [0, 1, 2, 3].map((n) => floats(body, layer.statsAt + 4 * n * count, count))
      layer.lows = floats(body, layer.scaleAt, layer.scales)
      layer.highs = floats(body, layer.scaleAt + 4 * layer.scales, layer.scales)
      layer.fields = layer.fieldsAt === null ? null : fieldsAt(body, layer)
    }
    find(".note").textContent = data.note
    find(".marks").textContent = data.legend
    draw()
  }

  const onOpened = ({ detail }) => {
    if (!data || detail.block !== where.block) return
    rest()
    if (data.opened === detail.opened && data.channel === detail.channel && data.explicit === detail.explicit) return
    data = { ...data, ...detail }
    draw()
  }
  const onAsked = ({ detail }) => detail.block === where.block && wait()
  const scheme = matchMedia("(prefers-color-scheme: dark)")
  scheme.addEventListener("change", draw)
  document.addEventListener("cnnviz:opened", onOpened)
  document.addEventListener("cnnviz:asked", onAsked)
  const unfollow = follow(where, show)
  let width = 0
  const observer = new ResizeObserver(() => {
    if (holder.clientWidth === width) return
    width = holder.clientWidth
    draw()
  })
  observer.observe(holder)
  document.fonts?.ready.then(() => {
    named.of = "" // the font that came is of another width
    draw()
  })

  function unmount() {
    unfollow()
    rest()
    clearTimeout(saying)
    scheme.removeEventListener("change", draw)
    document.removeEventListener("cnnviz:opened", onOpened)
    document.removeEventListener("cnnviz:asked", onAsked)
    observer.disconnect()
    mounted.delete(root)
  }
  return part
}
