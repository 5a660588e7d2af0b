// What all parts of the microscope share in the browser: planes and cursors, events, and how a number looks.

const hub = (globalThis.cnnvizHub ??= { planes: new Map(), blocks: new Map(), cursors: new Map() })

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(`cnnviz:${name}`, { detail }))
}

// What Python sends as bytes: uint32 length of a header, the header as JSON, then its body.
function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
  return { ...header, body: bytes.subarray(4 + length) }
}

// A part that is mounted once and shown anew whenever its block comes: `show` gets the block's data.
function follow(where, show) {
  const now = () => hub.blocks.has(where.block) && show(hub.blocks.get(where.block))
  const onBlock = ({ detail }) => detail.block === where.block && now()
  document.addEventListener("cnnviz:block", onBlock)
  now()
  return () => document.removeEventListener("cnnviz:block", onBlock)
}

// The hint is for a first visit: after the first hover it is gone for good.
function hintSeen() {
  try {
    return localStorage.getItem("cnnviz-hint") === "seen"
  } catch {
    return false // storage switched off: the hint comes back at the next visit
  }
}

function keepHint() {
  try {
    localStorage.setItem("cnnviz-hint", "seen")
  } catch {
    // as above
  }
}

const byTouch = () => matchMedia("(pointer: coarse)").matches

// As filters.luminance has it: thousandths are whole numbers, so one rounding to float32 is all there is.
const luminance = (r, g, b) => Math.fround((299 * r + 587 * g + 114 * b) / 1000)

// Keys that are the browser's own, as Alt with an arrow, which goes back.
const isShortcut = (event) => event.altKey || event.ctrlKey || event.metaKey

const clamp = (value, low, high) => Math.max(low, Math.min(high, value))

// A number as it stands on the page: at most four digits, a real minus; whole ones up to a million, with commas. The
// Python side is display.number.
function numberText(value, signed = false, digits = 4) {
  if (Number.isNaN(value)) return "NaN"
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞"
  const magnitude = Math.abs(value)
  let text
  if (magnitude && !(magnitude >= 10 ** (1 - digits) && magnitude < 10 ** (digits + 2) - 0.5)) {
    const [mantissa, exponent] = magnitude.toExponential(digits - 1).split("e")
    text = `${trimZeros(mantissa)}e${Number(exponent)}`
  } else {
    const whole = magnitude < 1 ? 0 : Math.floor(Math.log10(magnitude)) + 1
    text = trimZeros(magnitude.toFixed(Math.max(0, digits - whole)))
    if (magnitude >= 9999.5) text = text.replace(/\B(?=(\d{3})+$)/g, ",")
  }
  text = text.replace("-", "−")
  if (text === "0") return text
  return value < 0 ? `−${text}` : signed ? `+${text}` : text
}

// CSS pixels of a number: tabular digits are half as wide as they are high, points and commas a quarter.
const textWidth = (text, height) => (text.length - (text.match(/[.,]/g)?.length ?? 0) / 2) * height * 0.5

// A number in as many digits as have room in a cell; a line beside it then says all four.
function cellText(value, signed, room) {
  for (let digits = 4; ; digits--) {
    const text = numberText(value, signed, digits)
    if (digits === 1 || textWidth(text, 12) <= room) return text
  }
}

function trimZeros(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text
}

const SIGNED = [
  [0x21, 0x66, 0xac],
  [0x92, 0xc5, 0xde],
  [0xf7, 0xf7, 0xf7],
  [0xf4, 0xa5, 0x82],
  [0xb2, 0x18, 0x2b],
]

// The signed color of a value on a scale of ±limit, as in display.signed_scale, and an ink that can be read on it.
function signedColor(value, limit) {
  if (Number.isNaN(value)) return ["#C026D3", "#FFFFFF"]
  const at = clamp((value / (limit || 1) + 1) * 2, 0, 4)
  const low = Math.min(3, Math.floor(at))
  const rgb = SIGNED[low].map((v, c) => Math.round(v + (SIGNED[low + 1][c] - v) * (at - low)))
  return [`rgb(${rgb})`, inkOn(rgb)]
}

function greyColor(value) {
  const v = Math.round(clamp(value, 0, 255))
  return [`rgb(${v},${v},${v})`, inkOn([v, v, v])]
}

const LINEAR = Float64Array.from({ length: 256 }, (_, v) => (v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4))

// Black or white, whichever stands out more (relative luminance of WCAG 2.2): at least 4.5 : 1 on any color.
function inkOn([r, g, b]) {
  const luminance = 0.2126 * LINEAR[r] + 0.7152 * LINEAR[g] + 0.0722 * LINEAR[b]
  return (luminance + 0.05) ** 2 > 1.05 * 0.05 ? "#000000" : "#FFFFFF"
}
