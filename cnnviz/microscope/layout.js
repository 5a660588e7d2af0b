// Where every map of a network stands: columns of maps, a road of tiles, or, on narrow screens, a list of rows.
// It gives tiles, heads, bars of the color scales and shortcuts in CSS pixels; it draws nothing.

const GAP = 2 // between maps and between layers of one block; four times as wide between blocks
const LARGEST = 56 // px a map has in columns at most
const SMALLEST = 14
const HIGHEST = 620 // px that columns may be high
const ROWS = [16, 12, 8, 6, 4] // maps below each other; a layer with more stands in several columns
const ACROSS = 16 // maps side by side on narrow screens
const PAIRED = { across: 8, most: 72 } // the same, and their px, where two networks stand side by side
const BAND = 9 // px a shortcut takes above the maps
const NARROW = 700
const NAMED = 36 // px over each tile of a road, for a name of two lines

// layers as the header has them -> {kind, tiles, heads, bars, arcs, width, height}
function arrange(layers, width, fits, paired = false) {
  if (!layers.length) return { kind: "road", tiles: [], heads: [], bars: [], arcs: [], blocks: [], width, height: 0 }
  if (paired) return rowsOf(layers, width, PAIRED.across, PAIRED.most)
  if (fits && width < NARROW) return rowsOf(layers, width)
  if (fits) {
    // the largest maps that fit, whatever the number of them below each other
    for (let side = LARGEST; side >= SMALLEST; side--) {
      for (const rows of ROWS) {
        const found = columnsOf(layers, side, rows)
        if (found.width <= width && found.height <= HIGHEST) return found
      }
    }
  }
  return roadOf(layers, width)
}

const startsBlock = (layers, index) => index > 0 && layers[index].group !== layers[index - 1].group

// Edges that skip a layer, each on the lowest level that is free over its whole length.
function shortcuts(layers) {
  const at = new Map(layers.map((layer, index) => [layer.name, index]))
  const taken = []
  const found = []
  layers.forEach((layer, to) => {
    for (const name of layer.inputs) {
      const from = at.get(name)
      if (from === undefined || from >= to - 1) continue
      let level = taken.findIndex((edges) => edges.every(([a, b]) => to <= a || from >= b))
      if (level < 0) level = taken.push([]) - 1
      taken[level].push([from, to])
      found.push({ from, to, level })
    }
  })
  return { arcs: found, levels: taken.length }
}

function columnsOf(layers, side, deep) {
  const rows = Math.min(deep, Math.max(...layers.map((layer) => layer.picture?.count ?? 1)))
  const { arcs, levels } = shortcuts(layers)
  const headTop = 20
  const headHeight = 58
  const top = headTop + headHeight + levels * BAND + 4
  const step = side + GAP
  const tiles = []
  const heads = []
  const spans = []
  const blocks = []
  const sub = (layer) => Math.max(1, Math.ceil((layer.picture?.count ?? 0) / rows))
  let x = 0
  layers.forEach((layer, index) => {
    const several = index > 0 && (sub(layer) > 1 || sub(layers[index - 1]) > 1)
    if (index) x += startsBlock(layers, index) ? (several ? 10 : 4) * GAP + 2 : several ? 3 * GAP : GAP
    const count = layer.picture?.count ?? 0
    const wide = layer.vector ? Math.max(10, Math.round(side * 0.55)) : side
    const columns = sub(layer)
    const left = x
    for (let n = 0; n < count; n++) {
      const column = Math.floor(n / rows)
      tiles.push({ layer: index, n, x: left + column * (wide + GAP), y: top + (n % rows) * step, width: wide, height: side })
    }
    x += columns * (wide + GAP) - GAP
    heads.push({ layer: index, x: left, y: headTop, width: x - left, height: headHeight, upright: x - left < 64 })
    if (blocks.length && blocks.at(-1).group === layer.group) blocks.at(-1).right = x
    else blocks.push({ group: layer.group, title: layer.block, left, right: x })
    const last = spans.at(-1)
    if (last && !startsBlock(layers, index) && last.text === layer.scale.text && last.bar === layer.scale.bar) last.right = x
    else spans.push({ left, right: x, text: layer.scale.text, bar: layer.scale.bar })
  })
  const bottom = top + rows * step
  return {
    kind: "columns",
    tiles,
    heads,
    blocks,
    bars: spans.map((span) => ({ x: span.left, y: bottom + 4, width: span.right - span.left, text: span.text, bar: span.bar })),
    arcs: arcs.map(({ from, to, level }) => ({
      from: heads[from].x + heads[from].width / 2,
      to: heads[to].x + heads[to].width / 2,
      y: headTop + headHeight + (levels - level) * BAND - 4,
      foot: top - 2,
      layers: [from, to],
    })),
    width: x,
    height: bottom + 54,
    top,
    step,
  }
}

// One tile a layer, with its name above and its shape below; rows wrap where the width ends.
function roadOf(layers, width) {
  const side = width < NARROW ? 72 : 88
  const { arcs, levels } = shortcuts(layers)
  const band = levels * BAND
  const high = NAMED + band + side + 46
  const tiles = []
  const heads = []
  const blocks = []
  let x = 0
  let y = 0
  layers.forEach((layer, index) => {
    const apart = index === 0 ? 0 : startsBlock(layers, index) ? 28 : 10
    if (index && x + apart + side > width) {
      x = 0
      y += high
    } else x += apart
    heads.push({ layer: index, x, y, width: side, height: NAMED, upright: false })
    const n = (layer.picture?.count ?? 1) > 1 ? layer.strongest : 0
    tiles.push({ layer: index, n, x, y: y + NAMED + band, width: side, height: side })
    x += side
  })
  const bars = tiles.map((tile) => ({
    x: tile.x,
    y: tile.y + side + 4,
    width: side,
    text: layers[tile.layer].shape,
    bar: layers[tile.layer].scale.bar,
    tight: true,
  }))
  const drawn = []
  for (const { from, to, level } of arcs) {
    const [a, b] = [tiles[from], tiles[to]]
    const above = (tile) => tile.y - 4 - level * BAND - 4
    const middle = (tile) => tile.x + side / 2
    if (a.y === b.y) drawn.push({ from: middle(a), to: middle(b), y: above(a), foot: a.y - 2, layers: [from, to] })
    else {
      drawn.push({ from: middle(a), to: width, y: above(a), foot: a.y - 2, layers: [from, to], open: "right" })
      drawn.push({ from: 0, to: middle(b), y: above(b), foot: b.y - 2, layers: [from, to], open: "left" })
    }
  }
  return { kind: "road", tiles, heads, blocks, bars, arcs: drawn, width, height: y + high }
}

// One layer a row: its name and shape, below them its maps side by side; shortcuts run down the left edge. A row is as
// high as the one beside it in another column (`room` maps), so that both stand on one line.
function rowsOf(layers, width, most = ACROSS, largest = 40) {
  const { arcs, levels } = shortcuts(layers)
  const indent = levels ? Math.min(28, levels * BAND + 6) : 0
  const room = width - indent
  const side = Math.max(14, Math.min(largest, Math.floor((room + GAP) / most) - GAP))
  const across = Math.floor((room + GAP) / (side + GAP))
  const tiles = []
  const heads = []
  const bars = []
  let y = 0
  layers.forEach((layer, index) => {
    if (index) y += startsBlock(layers, index) ? 20 : 6
    heads.push({ layer: index, x: indent, y, width: room, height: 20, upright: false, shape: true })
    y += 20
    const count = layer.picture?.count ?? 0
    for (let n = 0; n < count; n++) {
      tiles.push({
        layer: index,
        n,
        x: indent + (n % across) * (side + GAP),
        y: y + Math.floor(n / across) * (side + GAP),
        width: side,
        height: side,
      })
    }
    y += Math.ceil(Math.max(count, layer.room) / across) * (side + GAP)
  })
  const middle = (index) => heads[index].y + 10
  return {
    kind: "rows",
    tiles,
    heads,
    blocks: [],
    bars,
    arcs: arcs.map(({ from, to, level }) => ({
      down: [middle(from), middle(to)],
      x: Math.max(2, indent - 8 - level * BAND),
      edge: indent - 2,
      layers: [from, to],
    })),
    width,
    height: y + 8,
  }
}
