// The patch that covers part of the input: dragged by pointer or finger, moved by arrow keys; its place goes to Python.
const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }
const PAUSE = 250 // ms after the last key before the answer is asked for

export default function ({ parentElement, data: [data], setTriggerValue }) {
  const frame = parentElement.querySelector(".frame")
  const image = frame.querySelector("img")
  const patch = frame.querySelector("button")
  const where = parentElement.querySelector(".where")
  const { rows, columns, side, factor, grey } = data
  frame.style.width = `${columns * factor}px`
  frame.style.aspectRatio = `${columns} / ${rows}`
  if (image.src !== data.src) image.src = data.src
  image.alt = "The input with the mistakes"
  patch.style.background = `rgb(${grey}, ${grey}, ${grey})`
  patch.style.width = `${(100 * side) / columns}%`
  patch.style.height = `${(100 * side) / rows}%`

  let top = data.top
  let left = data.left
  const held = frame.dataset.held // while it is dragged, an answer to an earlier place must not pull it back
  const put = (y, x) => {
    top = Math.min(Math.max(Math.round(y), 0), rows - side)
    left = Math.min(Math.max(Math.round(x), 0), columns - side)
    patch.style.top = `${(100 * top) / rows}%`
    patch.style.left = `${(100 * left) / columns}%`
    patch.dataset.top = top
    patch.dataset.left = left
    const place = `rows ${top} to ${top + side - 1}, columns ${left} to ${left + side - 1}`
    patch.setAttribute("aria-label", `Patch on ${place}; arrow keys move it`)
    where.textContent = `Drag the patch: ${place} are grey.`
  }
  const send = () => setTriggerValue("move", [(top + side / 2) / rows, (left + side / 2) / columns])
  if (!held) put(top, left)

  patch.onpointerdown = (event) => {
    if (event.button || !event.isPrimary) return // of several fingers the first drags
    patch.setPointerCapture(event.pointerId)
    patch.focus({ preventScroll: true })
    frame.dataset.held = "1"
    const box = frame.getBoundingClientRect()
    const from = { y: event.clientY, x: event.clientX, top: +patch.dataset.top, left: +patch.dataset.left }
    patch.onpointermove = (move) =>
      move.isPrimary && put(
        from.top + ((move.clientY - from.y) / box.height) * rows,
        from.left + ((move.clientX - from.x) / box.width) * columns,
      )
    patch.onpointerup = patch.onpointercancel = (up) => {
      if (!up.isPrimary) return
      patch.onpointermove = patch.onpointerup = patch.onpointercancel = null
      delete frame.dataset.held
      if (top !== from.top || left !== from.left) send()
    }
    event.preventDefault()
  }
  patch.onkeydown = (event) => {
    const step = KEYS[event.key]
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return // the browser's own keys
    event.preventDefault()
    const far = event.shiftKey ? 4 : 1
    put(+patch.dataset.top + far * step[0], +patch.dataset.left + far * step[1])
    clearTimeout(patch.pause)
    frame.dataset.held = "1"
    patch.pause = setTimeout(() => {
      delete frame.dataset.held
      send()
    }, PAUSE)
  }
}
