// How a share (0..1) is written as a percentage. The Python side is steps.share.

// Three digits, and never an exponent: what is too little or too near to all for them is said to be so.
function percent(share) {
  if (!Number.isFinite(share)) return numberText(share)
  if (share > 0 && share < 0.001) return "<\u00a00.1\u00a0%"
  if (share < 1 && share >= 0.9995) return ">\u00a099.9\u00a0%"
  return `${numberText(100 * share, false, 3)}\u00a0%`
}

// The same with the seven digits that a float32 has, for who wants to know.
function exactPercent(share) {
  const hundred = 100 * share
  if (!hundred || !Number.isFinite(hundred)) return percent(share)
  const places = 6 - Math.floor(Math.log10(Math.abs(hundred)))
  return `${trimZeros(hundred.toFixed(clamp(places, 0, 100)))}\u00a0%`
}
