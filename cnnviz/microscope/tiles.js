// Maps as tiles of a canvas: sheets of colors made once, tiles, the marks of dead and saturated maps, where a tile is.

// Levels of `count` maps of one size, one after the other, as one picture of all of them below each other.
function sheetOf(picture, body) {
  const { rows, columns, count, at, palette } = picture
  const pixels = new ImageData(columns, rows * count)
  const colors = new Uint32Array(pixels.data.buffer)
  const opaque = (from) => 0xff000000 | (body[from + 2] << 16) | (body[from + 1] << 8) | body[from]
  if (palette === null) for (let i = 0; i < colors.length; i++) colors[i] = opaque(at + 3 * i)
  else {
    const table = Uint32Array.from({ length: 256 }, (_, level) => opaque(palette + 3 * level))
    for (let i = 0; i < colors.length; i++) colors[i] = table[body[at + i]]
  }
  const sheet = document.createElement("canvas")
  sheet.width = pixels.width
  sheet.height = pixels.height
  sheet.getContext("2d").putImageData(pixels, 0, 0)
  return sheet
}

// Map number n of a sheet, in a rectangle of device pixels; smoothed only where it shrinks.
function drawTile(context, sheet, picture, n, [x, y, width, height]) {
  const { rows, columns } = picture
  context.imageSmoothingEnabled = columns > width || rows > height
  context.imageSmoothingQuality = "high"
  context.drawImage(sheet, 0, n * rows, columns, rows, x, y, width, height)
}

// What a mark looks like: the color of NaN with the word on a map with one, a stroke through a dead map, a filled corner on a saturated one, a cross on one switched off.
function drawMark(context, mark, [x, y, width, height], dense) {
  const side = Math.max(5 * dense, Math.min(width, height) * 0.34)
  const lines = (...points) => {
    context.beginPath()
    for (const [x1, y1, x2, y2] of points) {
      context.moveTo(x1, y1)
      context.lineTo(x2, y2)
    }
    for (const [style, thick] of [
      ["#FFFFFF", 3],
      ["#1F2430", 1.25],
    ]) {
      context.strokeStyle = style
      context.lineWidth = thick * dense
      context.stroke()
    }
  }
  context.save()
  context.beginPath()
  context.rect(x, y, width, height)
  context.clip()
  if (mark === "d") lines([x, y + height, x + width, y])
  else if (mark === "x") lines([x, y, x + width, y + height], [x, y + height, x + width, y])
  else if (mark === "n") {
    context.fillStyle = "#C026D3"
    const tall = Math.min(height, 14 * dense)
    context.fillRect(x, y, width, tall)
    if (width >= 26 * dense && tall >= 12 * dense) {
      context.font = `${11 * dense}px sans-serif`
      context.textBaseline = "middle"
      context.fillStyle = "#FFFFFF"
      context.fillText("NaN", x + 2 * dense, y + tall / 2)
    }
  } else if (mark === "s") {
    context.beginPath()
    context.moveTo(x, y)
    context.lineTo(x + side, y)
    context.lineTo(x, y + side)
    context.closePath()
    context.fillStyle = "#1F2430"
    context.fill()
    context.strokeStyle = "#FFFFFF"
    context.lineWidth = dense
    context.stroke()
  }
  context.restore()
}

// The tile under a point; tiles are {x, y, width, height} in CSS pixels, with `air` that counts as theirs.
function tileAt(tiles, x, y, air = 1) {
  return tiles.find(
    (t) => x >= t.x - air && x < t.x + t.width + air && y >= t.y - air && y < t.y + t.height + air,
  )
}

// float32 values out of a body whose offset need not be a multiple of 4.
function floats(body, at, count) {
  return new Float32Array(body.slice(at, at + 4 * count).buffer)
}

// A canvas for these CSS pixels, sharp on dense screens; gives its context, in device pixels, and the density.
function sized(canvas, width, height) {
  const dense = window.devicePixelRatio || 1
  canvas.width = Math.round(width * dense)
  canvas.height = Math.round(height * dense)
  canvas.style.width = `${width}px`
  canvas.style.height = `${height}px`
  return [canvas.getContext("2d"), dense]
}

function place(element, tile, air = 0) {
  element.hidden = !tile
  if (!tile) return
  element.style.transform = `translate(${tile.x - air}px, ${tile.y - air}px)`
  element.style.width = `${tile.width + 2 * air}px`
  element.style.height = `${tile.height + 2 * air}px`
}
