// Where a window lies and what it computes, one cell at a time; whole maps are computed in Python.

// The value of one pixel in one channel; outside the picture stands the 0 of the padding.
function valueAt(plane, row, column, channel) {
  if (row < 0 || column < 0 || row >= plane.height || column >= plane.width) return 0
  const at = (row * plane.width + column) * plane.channels
  const v = plane.values
  if (channel === "luminance") return luminance(v[at], v[at + 1], v[at + 2])
  return v[at + channel]
}

// One output cell of the convolution: for every part (a channel, or x and y of a gradient) its window and sum.
function convCell(spec, plane, row, column) {
  const top = row * spec.strides[0] - spec.padding[0][0]
  const left = column * spec.strides[1] - spec.padding[1][0]
  const [dy, dx] = spec.dilation
  const parts = spec.parts.map((part) => {
    const terms = []
    let sum = 0
    part.weights.forEach((line, i) =>
      line.forEach((weight, j) => {
        const y = top + i * dy
        const x = left + j * dx
        const value = valueAt(plane, y, x, part.channel)
        const outside = y < 0 || x < 0 || y >= plane.height || x >= plane.width
        const product = value * weight
        sum += product
        terms.push({ i, j, y, x, value, weight, product, outside })
      }),
    )
    return { name: part.name, rows: part.weights.length, columns: part.weights[0].length, terms, sum }
  })
  return {
    parts,
    ...combined(
      spec,
      parts.map((part) => part.sum),
    ),
  }
}

// The same without keeping its terms: a pool of 15 × 15 needs 225 of them.
function convValue(spec, plane, row, column) {
  const top = row * spec.strides[0] - spec.padding[0][0]
  const left = column * spec.strides[1] - spec.padding[1][0]
  const [dy, dx] = spec.dilation
  const sums = spec.parts.map(({ weights, channel }) => {
    let sum = 0
    for (let i = 0; i < weights.length; i++) {
      const line = weights[i]
      for (let j = 0; j < line.length; j++) sum += valueAt(plane, top + i * dy, left + j * dx, channel) * line[j]
    }
    return sum
  })
  return combined(spec, sums)
}

// From the sums of the parts to the cell: their total (or what a gradient makes of x and y), bias, ReLU.
function combined(spec, sums) {
  let sum = sums.reduce((a, b) => a + b, 0)
  if (spec.combine === "magnitude") sum = Math.hypot(sums[0], sums[1])
  if (spec.combine === "direction") sum = Math.atan2(sums[1], sums[0])
  const biased = sum + spec.bias
  return { sum, biased, relu: spec.relu && !(biased > 0) && !Number.isNaN(biased) ? 0 : biased }
}

// One output cell of the pool: the cells it looks at (never padding) and what came of them.
function poolCell(spec, plane, row, column) {
  const { size, strides, padding, kind } = spec.pool
  const cells = []
  for (let i = 0; i < size[0]; i++) {
    for (let j = 0; j < size[1]; j++) {
      const y = row * strides[0] - padding[0][0] + i
      const x = column * strides[1] - padding[1][0] + j
      const outside = y < 0 || x < 0 || y >= spec.output[0] || x >= spec.output[1]
      cells.push({ i, j, y, x, outside, value: outside ? 0 : convValue(spec, plane, y, x).relu })
    }
  }
  const inside = cells.filter((cell) => !cell.outside)
  const values = inside.map((cell) => cell.value)
  const total = values.reduce((a, b) => a + b, 0)
  const result = kind === "max" ? Math.max(...values) : total / values.length
  return { cells, total, count: values.length, result, winner: inside.find((cell) => cell.value === result) }
}

// Rectangles [top, left, height, width] that belong together on each stage, for a place on one of them.
function boxesFor(spec, cursor) {
  const reach = [0, 1].map((a) => spec.dilation[a] * (spec.kernelSize[a] - 1) + 1)
  const input = (top, left, height, width) => [
    top * spec.strides[0] - spec.padding[0][0],
    left * spec.strides[1] - spec.padding[1][0],
    (height - 1) * spec.strides[0] + reach[0],
    (width - 1) * spec.strides[1] + reach[1],
  ]
  if (cursor.stage === "pool") {
    const { size, strides, padding } = spec.pool
    const top = cursor.row * strides[0] - padding[0][0]
    const left = cursor.column * strides[1] - padding[1][0]
    const cells = [top, left, size[0], size[1]]
    return { input: input(...cells), map: cells, relu: cells, pool: [cursor.row, cursor.column, 1, 1] }
  }
  const cell = [cursor.row, cursor.column, 1, 1]
  const boxes = { input: input(...cell), map: cell, relu: cell }
  if (spec.pool) {
    const at = [cursor.row, cursor.column].map((v, a) => {
      const last = Math.floor((v + spec.pool.padding[a][0]) / spec.pool.strides[a])
      const pooled = Math.min(last, spec.pool.output[a] - 1)
      const into = v + spec.pool.padding[a][0] - pooled * spec.pool.strides[a]
      return into < spec.pool.size[a] ? pooled : -1
    })
    if (at[0] >= 0 && at[1] >= 0) boxes.pool = [at[0], at[1], 1, 1]
  }
  return boxes
}

// The place a pointer on a stage means: on the input, the window whose center is nearest.
function cursorFor(spec, stage, row, column) {
  if (stage === "pool")
    return { stage, row: clamp(row, 0, spec.pool.output[0] - 1), column: clamp(column, 0, spec.pool.output[1] - 1) }
  if (stage === "map" || stage === "relu")
    return { stage, row: clamp(row, 0, spec.output[0] - 1), column: clamp(column, 0, spec.output[1] - 1) }
  const at = [row, column].map((v, a) => {
    const reach = spec.dilation[a] * (spec.kernelSize[a] - 1)
    return clamp(Math.round((v + spec.padding[a][0] - reach / 2) / spec.strides[a]), 0, spec.output[a] - 1)
  })
  return { stage: "input", row: at[0], column: at[1] }
}
