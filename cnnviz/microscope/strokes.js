// What stands between the maps of a network, on a canvas: color bars, shortcuts with their arrowheads, words cut to fit.

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
