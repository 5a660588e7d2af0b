// The grid of weights: edited in place; arrow keys walk, Enter takes a number, a pasted block becomes the kernel.
// It sends what was typed as text; Python reads it, so that one place decides what a number is.

const mounted = new WeakMap()
const READABLE = 26 // pixels a cell below which numbers show only while a cell is edited

export default function ({ parentElement, data, setTriggerValue }) {
  let grid = mounted.get(parentElement)
  if (!grid) mounted.set(parentElement, (grid = mountGrid(parentElement)))
  grid.update(data[0], setTriggerValue)
  return grid.unmount
}

function mountGrid(root) {
  const find = (selector) => root.querySelector(selector)
  const table = find(".weights")
  let data = null
  let send = () => {}
  let inputs = []
  let shape = ""

  const rows = () => data.weights.length
  const columns = () => data.weights[0].length

  function build() {
    const wanted = `${rows()}x${columns()}`
    if (shape === wanted) return
    shape = wanted
    table.style.setProperty("--rows", rows())
    table.style.setProperty("--columns", columns())
    inputs = Array.from({ length: rows() * columns() }, (_, n) => {
      const input = document.createElement("input")
      const [row, column] = [Math.floor(n / columns()), n % columns()]
      input.type = "text"
      input.inputMode = "text"
      input.autocomplete = "off"
      input.tabIndex = n === 0 ? 0 : -1
      input.dataset.testid = "weight"
      input.setAttribute("aria-label", `Weight, row ${row + 1}, column ${column + 1}`)
      input.onfocus = () => {
        inputs.forEach((other) => {
          other.tabIndex = other === input ? 0 : -1
        })
        input.select()
      }
      input.onblur = () => commit(n)
      input.onkeydown = (event) => onKey(event, row, column)
      input.onpaste = (event) => {
        const text = event.clipboardData.getData("text")
        if (!/[\t\n;,]|\S\s+\S/.test(text.trim())) return
        event.preventDefault()
        send({ paste: text })
      }
      return input
    })
    table.replaceChildren(...inputs)
  }

  function paint() {
    const flat = data.weights.flat()
    const heaviest = Math.max(1e-9, ...flat.map(Math.abs))
    const side = Math.min(table.clientWidth / columns(), table.clientHeight / rows())
    inputs.forEach((input, n) => {
      const [background, ink] = signedColor(flat[n], heaviest)
      const text = numberText(flat[n], true)
      input.style.background = background
      input.style.color = ink
      if (root.activeElement !== input || input.dataset.shown !== text) input.value = text
      input.dataset.shown = text
      input.readOnly = data.fixed
      input.style.fontSize = `${Math.max(12, Math.min(16, side / 3.2))}px`
      input.classList.toggle("mute", side < READABLE)
    })
  }

  function commit(n) {
    const input = inputs[n]
    if (!input || input.value.trim() === input.dataset.shown) return
    send({ row: Math.floor(n / columns()), column: n % columns(), text: input.value })
  }

  function onKey(event, row, column) {
    const input = event.target
    const all = input.selectionStart === 0 && input.selectionEnd === input.value.length
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], Enter: [1, 0] }
    if (all || input.selectionStart === 0) moves.ArrowLeft = [0, -1]
    if (all || input.selectionEnd === input.value.length) moves.ArrowRight = [0, 1]
    const move = moves[event.key]
    if (event.key === "Escape") {
      input.value = input.dataset.shown
      input.select()
    } else if (
      (event.ctrlKey || event.metaKey) &&
      event.key.toLowerCase() === "z" &&
      input.value === input.dataset.shown
    ) {
      event.preventDefault()
      send({ undo: true })
    } else if (move) {
      event.preventDefault()
      const to = [row + move[0], column + move[1]]
      if (to[0] >= 0 && to[0] < rows() && to[1] >= 0 && to[1] < columns()) inputs[to[0] * columns() + to[1]].focus()
      else if (event.key === "Enter") commit(row * columns() + column)
    }
  }

  const observer = new ResizeObserver(() => data && paint())
  observer.observe(table)
  return {
    update(next, setTriggerValue) {
      data = next
      let turn = 0 // a trigger of equal content twice in a row must still be seen as new
      send = (change) => setTriggerValue("edit", { ...change, turn: (turn += 1), at: Date.now() })
      find(".name").textContent = data.title
      find(".sub").textContent = data.sub
      find(".shape").textContent = data.shape
      find(".range").textContent = data.range
      find(".bar").style.background = `linear-gradient(to right, ${data.bar})`
      build()
      paint()
    },
    unmount() {
      observer.disconnect()
      mounted.delete(root)
    },
  }
}
