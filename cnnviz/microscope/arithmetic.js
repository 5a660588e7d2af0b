// What stages and window share: the planes they were given, where a window lies, and one cell's arithmetic.
// Everything here works on one cell at a time; whole maps are computed in Python.

const hub = (globalThis.cnnvizHub ??= { planes: new Map(), roads: new Map(), cursors: new Map() })

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(`cnnviz:${name}`, { detail }))
}

// Bytes of a plane: uint32 length of the header, the header as JSON, then the values row by row.
function readPlane(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
  const body = bytes.slice(4 + length)
  return { ...header, values: header.dtype === "float32" ? new Float32Array(body.buffer) : body }
}

// The value of one pixel in one channel; outside the picture stands the 0 of the padding.
function valueAt(plane, row, column, channel) {
  if (row < 0 || column < 0 || row >= plane.height || column >= plane.width) return 0
  const at = (row * plane.width + column) * plane.channels
  const v = plane.values
  if (channel === "luminance") return 0.299 * v[at] + 0.587 * v[at + 1] + 0.114 * v[at + 2]
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
      }))
    return { name: part.name, rows: part.weights.length, columns: part.weights[0].length, terms, sum }
  })
  const sums = parts.map((part) => part.sum)
  let sum = sums.reduce((a, b) => a + b, 0)
  if (spec.combine === "magnitude") sum = Math.hypot(sums[0], sums[1])
  if (spec.combine === "direction") sum = Math.atan2(sums[1], sums[0])
  const biased = sum + spec.bias
  return { parts, sum, biased, relu: spec.relu && !(biased > 0) && !Number.isNaN(biased) ? 0 : biased }
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
      cells.push({ i, j, y, x, outside, value: outside ? 0 : convCell(spec, plane, y, x).relu })
    }
  }
  const inside = cells.filter((cell) => !cell.outside)
  const values = inside.map((cell) => cell.value)
  const total = values.reduce((a, b) => a + b, 0)
  const result = kind === "max" ? Math.max(...values) : total / values.length
  return { cells, total, count: values.length, result, winner: inside.find((cell) => cell.value === result) }
}

const clamp = (value, low, high) => Math.max(low, Math.min(high, value))

// Rectangles [top, left, height, width] that belong together on each stage, for a place on one of them.
function boxesFor(spec, cursor) {
  const reach = [0, 1].map((a) => spec.dilation[a] * (spec.kernelSize[a] - 1) + 1)
  const input = (top, left, height, width) => [
    top * spec.strides[0] - spec.padding[0][0], left * spec.strides[1] - spec.padding[1][0],
    (height - 1) * spec.strides[0] + reach[0], (width - 1) * spec.strides[1] + reach[1],
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
      const pooled = Math.floor((v + spec.pool.padding[a][0]) / spec.pool.strides[a])
      const into = v + spec.pool.padding[a][0] - pooled * spec.pool.strides[a]
      return pooled < spec.pool.output[a] && into < spec.pool.size[a] ? pooled : -1
    })
    if (at[0] >= 0 && at[1] >= 0) boxes.pool = [at[0], at[1], 1, 1]
  }
  return boxes
}

// The place a pointer on a stage means: on the input, the window whose center is nearest.
function cursorFor(spec, stage, row, column) {
  if (stage === "pool") return { stage, row: clamp(row, 0, spec.pool.output[0] - 1), column: clamp(column, 0, spec.pool.output[1] - 1) }
  if (stage === "map" || stage === "relu") return { stage, row: clamp(row, 0, spec.output[0] - 1), column: clamp(column, 0, spec.output[1] - 1) }
  const at = [row, column].map((v, a) => {
    const reach = spec.dilation[a] * (spec.kernelSize[a] - 1)
    return clamp(Math.round((v + spec.padding[a][0] - reach / 2) / spec.strides[a]), 0, spec.output[a] - 1)
  })
  return { stage: "input", row: at[0], column: at[1] }
}

// A number as it stands on the page: at most four digits, a real minus. The Python side is display.number.
function numberText(value, signed = false) {
  if (Number.isNaN(value)) return "NaN"
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞"
  const magnitude = Math.abs(value)
  let text
  if (magnitude && !(magnitude >= 1e-3 && magnitude < 9999.5)) {
    const [mantissa, exponent] = magnitude.toExponential(3).split("e")
    text = `${trimZeros(mantissa)}e${Number(exponent)}`
  } else {
    const whole = magnitude < 1 ? 0 : Math.floor(Math.log10(magnitude)) + 1
    text = trimZeros(magnitude.toFixed(Math.max(0, 4 - whole)))
  }
  text = text.replace("-", "−")
  if (text === "0") return text
  return value < 0 ? `−${text}` : signed ? `+${text}` : text
}

function trimZeros(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text
}

const SIGNED = [[0x21, 0x66, 0xac], [0x92, 0xc5, 0xde], [0xf7, 0xf7, 0xf7], [0xf4, 0xa5, 0x82], [0xb2, 0x18, 0x2b]]

// The signed color of a value on a scale of ±limit, as in display.signed, and an ink that can be read on it.
function signedColor(value, limit) {
  if (Number.isNaN(value)) return ["#C026D3", "#FFFFFF"]
  const at = clamp(((value / (limit || 1)) + 1) * 2, 0, 4)
  const low = Math.min(3, Math.floor(at))
  const rgb = SIGNED[low].map((v, c) => Math.round(v + (SIGNED[low + 1][c] - v) * (at - low)))
  return [`rgb(${rgb})`, inkOn(rgb)]
}

function greyColor(value) {
  const v = Math.round(clamp(value, 0, 255))
  return [`rgb(${v},${v},${v})`, inkOn([v, v, v])]
}

function inkOn([r, g, b]) {
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#1F2430" : "#FFFFFF"
}
