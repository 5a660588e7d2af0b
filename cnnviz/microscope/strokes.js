// What stands between the maps of a network, on a canvas: color bars, shortcuts with their arrowheads, words cut to fit.

// Texts in lines that fit, each in its room: whole in one line or `most` 2, else cut in the middle, since the names of
// layers differ at their ends, and elsewhere where two that are not the same would read the same.
function distinct(context, texts, rooms, most) {
  const cut = (n, share, tail = "") => {
    const [first, ...rest] = broken(context, texts[n], rooms[n], most)
    const room = rooms[n] - context.measureText(tail).width
    return [middled(context, first, room, share) + tail, ...rest.map((line) => middled(context, line, rooms[n], share))]
  }
  const made = texts.map((_, n) => cut(n, 0.5))
  const taken = (lines, n) => made.some((other, m) => m !== n && `${other}` === `${lines}` && texts[m] !== texts[n])
  texts.forEach((_, n) => {
    for (const share of [0.75, 0.25, 0.9]) if (taken(made[n], n)) made[n] = cut(n, share)
    if (taken(made[n], n)) made[n] = cut(n, 0.5, ` ${n + 1}`)
  })
  return made
}

// A text that does not fit in two lines, of which the longer one is as short as can be.
function broken(context, text, room, most) {
  if (most < 2 || context.measureText(text).width <= room) return [text]
  const words = text.split(" ")
  const ways = words.slice(1).map((_, n) => [words.slice(0, n + 1).join(" "), words.slice(n + 1).join(" ")])
  const wide = (lines) => Math.max(...lines.map((line) => context.measureText(line).width))
  return ways.reduce((best, way) => (wide(way) < wide(best) ? way : best), ways[0] ?? [text])
}

// A text cut in the middle to fit; share: of the letters that stay, how many are its last.
function middled(context, text, room, share) {
  if (context.measureText(text).width <= room) return text
  for (let kept = text.length - 1; kept > 1; kept--) {
    const end = clamp(Math.round(kept * share), 1, kept - 1)
    const short = `${text.slice(0, kept - end).trimEnd()}…${text.slice(-end).trimStart()}`
    if (context.measureText(short).width <= room) return short
  }
  return "…"
}

function fitted(context, text, room) {
  if (context.measureText(text).width <= room) return text
  let short = text
  while (short.length > 1 && context.measureText(`${short}…`).width > room) short = short.slice(0, -1)
  return `${short}…`
}

function paintBar(context, bar, dense) {
  const colors = bar.bar.split(", ")
  if (colors.length < 2) return
  const gradient = context.createLinearGradient(bar.x * dense, 0, (bar.x + bar.width) * dense, 0)
  colors.forEach((color, n) => gradient.addColorStop(n / (colors.length - 1), color))
  context.fillStyle = gradient
  context.fillRect(bar.x * dense, bar.y * dense, bar.width * dense, 4 * dense)
}

// A shortcut: up from the layer it leaves, along above the maps, and down with an arrowhead.
function drawArc(context, arc, color, dense) {
  context.strokeStyle = color
  context.fillStyle = color
  context.lineWidth = dense
  const at = (v) => (Math.round(v * dense) + (dense % 2) / 2)
  context.beginPath()
  if (arc.down) {
    const [from, to] = arc.down
    context.moveTo(at(arc.edge), at(from))
    context.lineTo(at(arc.x), at(from))
    context.lineTo(at(arc.x), at(to))
    context.lineTo(at(arc.edge), at(to))
    context.stroke()
    arrowhead(context, arc.edge * dense, at(to), "right", dense)
    return
  }
  if (arc.open === "left") context.moveTo(at(arc.from), at(arc.y))
  else {
    context.moveTo(at(arc.from), at(arc.foot))
    context.lineTo(at(arc.from), at(arc.y))
  }
  context.lineTo(at(arc.to), at(arc.y))
  if (arc.open !== "right") context.lineTo(at(arc.to), at(arc.foot))
  context.stroke()
  if (arc.open !== "right") arrowhead(context, at(arc.to), arc.foot * dense, "down", dense)
}

function arrowhead(context, x, y, way, dense) {
  const size = 3.5 * dense
  context.beginPath()
  context.moveTo(x, y)
  if (way === "down") {
    context.lineTo(x - size, y - size * 1.3)
    context.lineTo(x + size, y - size * 1.3)
  } else {
    context.lineTo(x - size * 1.3, y - size)
    context.lineTo(x - size * 1.3, y + size)
  }
  context.fill()
}
