// What the pointer reads on a map of the network: the number of the cell under it as far as its color tells, and what of
// the input that cell is made from.

const TOP = 254 // the last level of a scale; 255 is NaN

// The cell {layer, n, row, column} of a layer's map: {value: "0.52 ± 0.02", text, field}, or null where the picture has no
// level for each cell, or where it is a single number, which is known as it is. channel: the number of that map.
function cellOf(layers, channel, { layer: number, n, row, column }, body) {
  const layer = layers[number]
  const { rows, columns, at } = layer.picture
  const units = layer.folded || (layer.vector && rows * columns > 1)
  const index = row * columns + column
  if (!layer.whole || (layer.vector && !units) || (units && index >= layer.count)) return null
  const scale = layer.scales === 1 ? 0 : units ? index : channel
  const stats = layer.stats?.map((values) => values[n])
  const value = nearly(body[at + n * rows * columns + index], layer.lows[scale], layer.highs[scale], stats)
  const where = units ? `unit ${index}` : `row ${row}, column ${column}`
  const field = layer.fields && fieldOf(layers[0].picture, units ? layer.fields(index, index) : layer.fields(row, column))
  return { value, text: `${where}: ${value}`, field }
}

// A number as far as its level tells it: "0.52 ± 0.02". stats: [least, largest, ...] of the map, where they are known.
function nearly(level, low, high, stats) {
  if (level > TOP) return "NaN"
  const [step, [least, largest]] = [(high - low) / TOP, stats ?? [low, high]]
  if (level === TOP && largest > high + step / 2) return `${numberText(high, false, 3)} or more`
  if (level === 0 && least < low - step / 2) return `${numberText(low, false, 3)} or less`
  const digits = Math.max(0, Math.ceil(-Math.log10(step / 2)))
  if (digits > 9 || high > 1e7) return `${numberText(low + level * step, false, 3)} ± ${numberText(step, false, 2)}`
  const unit = 10 ** -digits // of the last digit; rounding to it is part of the doubt
  return `${numberText(Math.round((low + level * step) / unit) * unit)} ± ${numberText(Math.ceil((step / 2 + unit / 2) / unit) * unit)}`
}

// What of the input a layer's cells see: (row, column) -> [top, bottom, left, right]; for a vector both are the unit.
function fieldsAt(body, { fieldsAt: at, height, width }) {
  const ends = new Int16Array(body.slice(at, at + 4 * (height + width)).buffer)
  const pair = (n) => [ends[2 * n], ends[2 * n + 1]]
  return (row, column) => [...pair(row), ...pair(height + column)]
}

// The same in words, and as a rectangle on a tile that shows the input.
function fieldOf({ rows, columns }, [top, bottom, left, right]) {
  const whole = top === 0 && left === 0 && bottom === rows && right === columns
  const part = bottom > top ? `rows ${top}–${bottom - 1}, columns ${left}–${right - 1}` : "nothing of the input"
  return {
    words: `sees ${whole ? "the whole input" : part}`,
    on: (tile) => ({
      x: tile.x + (left / columns) * tile.width,
      y: tile.y + (top / rows) * tile.height,
      width: Math.max(2, ((right - left) / columns) * tile.width),
      height: Math.max(2, ((bottom - top) / rows) * tile.height),
    }),
  }
}
