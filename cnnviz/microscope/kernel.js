// The grid of weights: edited in place; arrow keys walk, Enter takes a number, a pasted block becomes the kernel.
// It sends what was typed as text; Python reads it, so that one place decides what a number is.

const mounted = new WeakMap()
const READABLE = 26 // pixels a cell below which numbers show only while a cell is edited
const TOOLS = {
  flip: ["Flip", "Turn the kernel by 180°: correlation, which networks use, becomes mathematical convolution."],
  negate: ["Negate", "Change every sign."],
  transpose: ["Transpose", "Exchange rows and columns: vertical edges become horizontal ones."],
  normalize: [
    "Normalize",
    "Divide by the sum of the weights, so that brightness stays. Where that is 0, by half the sum of absolute values.",
  ],
  undo: ["Undo", "Back to the kernel before the last change."],
  reset: ["Reset", "Back to the preset’s own weights."],
}

export default function ({ parentElement, data, setTriggerValue }) {
  let grid = mounted.get(parentElement)
  if (!grid) mounted.set(parentElement, (grid = mountGrid(parentElement, data[0])))
  grid.update(setTriggerValue)
  return grid.unmount
}

function mountGrid(root, where) {
  const find = (selector) => root.querySelector(selector)
  const table = find(".weights")
  let data = null
  let send = () => {}
  let inputs = []
  let fresh = null // the cell that a click takes whole; the next click sets the caret
  let shape = ""
  let refused = [] // sentences about the size typed last
  let wanted = "" // what was made of it
  let turn = 0 // of the change sent last; the server echoes the one it has seen
  const pending = new Map() // cell number -> text sent and not yet answered

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
        fresh = input
      }
      input.onclick = () => {
        if (fresh === input && input.value === input.dataset.shown) input.select() // also where Enter had led to it
        fresh = null
      }
      input.onblur = () => inputs[n] === input && commit(n) // not one that a new kernel has just replaced
      input.onkeydown = (event) => onKey(event, row, column)
      input.onpaste = (event) => {
        const text = event.clipboardData.getData("text")
        if (/^[^\s;,|]*,?[^\s;,|]*$/.test(text.trim())) return // one number goes into the cell as usual
        event.preventDefault()
        if (!data.fixed) send({ paste: text })
      }
      return input
    })
    table.replaceChildren(...inputs)
  }

  function paint() {
    const flat = data.weights.flat()
    const heaviest = Math.max(1e-9, ...flat.map(Math.abs))
    const side = Math.min(table.clientWidth / columns(), table.clientHeight / rows())
    const height = clamp(side / 3.2, 12, 16)
    const room = table.clientWidth / columns() - 4
    const digits = [4, 3].find((n) => flat.every((weight) => textWidth(numberText(weight, true, n), height) <= room))
    const mute = side < READABLE || !digits
    inputs.forEach((input, n) => {
      const [background, ink] = signedColor(flat[n], heaviest)
      const text = numberText(flat[n], true, mute ? 4 : digits)
      input.style.background = background
      input.style.color = ink
      const kept = pending.has(n) || (root.activeElement === input && input.dataset.shown === text)
      if (!kept) input.value = text
      input.dataset.shown = text
      input.readOnly = data.fixed
      input.style.fontSize = `${height}px`
      input.classList.toggle("mute", mute)
      input.title = numberText(flat[n], true)
    })
  }

  function commit(n) {
    const input = inputs[n]
    if (!input || input.value.trim() === input.dataset.shown || pending.get(n) === input.value) return
    pending.set(n, input.value)
    send({})
  }

  function onKey(event, row, column) {
    const input = event.target
    const all = input.selectionStart === 0 && input.selectionEnd === input.value.length
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], Enter: [1, 0] }
    if (all || input.selectionStart === 0) moves.ArrowLeft = [0, -1]
    if (all || input.selectionEnd === input.value.length) moves.ArrowRight = [0, 1]
    const move = isShortcut(event) ? null : moves[event.key]
    if (event.key === "Escape") {
      input.value = input.dataset.shown
      input.select()
      fresh = input
    } else if (
      (event.ctrlKey || event.metaKey) &&
      event.key.toLowerCase() === "z" &&
      input.value === input.dataset.shown
    ) {
      event.preventDefault()
      send({ tool: "undo" })
    } else if (move) {
      event.preventDefault()
      const to = [row + move[0], column + move[1]]
      if (to[0] >= 0 && to[0] < rows() && to[1] >= 0 && to[1] < columns()) inputs[to[0] * columns() + to[1]].focus()
      else commit(row * columns() + column)
    }
  }

  const tools = Object.entries(TOOLS).map(([tool, [label, title]]) => {
    const button = document.createElement("button")
    button.type = "button"
    button.textContent = label
    button.title = title
    button.dataset.tool = tool
    button.onclick = () => send({ tool })
    return button
  })
  find(".tools").replaceChildren(...tools)
  const size = { rows: find(".rows"), columns: find(".columns") }

  // The whole number of rows or columns that is nearest to what was typed; a sentence where it is another one.
  function possible(name, { value: typed, validity }, n) {
    const most = data.most[n]
    const given = typed || (validity.badInput ? "No number" : "Nothing")
    const number = typed === "" ? [rows(), columns()][n] : clamp(Math.round(Number(typed)) || 1, 1, most)
    if (typed === "" || Number(typed) !== number)
      refused.push(`${given} was given for the ${name}: 1 to ${most} are possible here, and ${number} used.`)
    return number
  }

  function why() {
    find(".why").textContent = [...refused, data.fixed ? "" : data.why].filter(Boolean).join(" ")
  }
  for (const input of Object.values(size)) {
    input.onchange = () => {
      refused = []
      for (const [n, [name, side]] of Object.entries(size).entries()) side.value = possible(name, side, n)
      why()
      wanted = `${size.rows.value}x${size.columns.value}`
      if (wanted !== shape) send({ rows: Number(size.rows.value), columns: Number(size.columns.value) })
    }
  }

  const observer = new ResizeObserver(() => data && paint())
  observer.observe(table)
  function show(block) {
    if (!block.kernel) return
    data = block.kernel
    if (data.turn === turn) pending.clear()
    find(".name").textContent = data.title
    find(".sub").textContent = data.sub
    find(".shape").textContent = data.shape
    find(".range").textContent = data.range
    find(".bar").style.background = `linear-gradient(to right, ${data.bar})`
    size.rows.value = rows()
    size.columns.value = columns()
    size.rows.max = data.most[0]
    size.columns.max = data.most[1]
    find(".size").hidden = data.fixed
    if (`${rows()}x${columns()}` !== wanted && data.turn === turn) refused = []
    why()
    for (const button of tools) {
      const idle = { undo: !data.canUndo, reset: !data.edited }[button.dataset.tool]
      button.disabled = idle ?? data.fixed
    }
    build()
    paint()
  }
  const unfollow = follow(where, show)

  return {
    update(setTriggerValue) {
      send = (change) => {
        // what the server has not answered yet goes along: of two quick changes it may only see the second
        const cells = [...pending].map(([at, text]) => [Math.floor(at / columns()), at % columns(), text])
        if (Object.keys(change).length) pending.clear()
        setTriggerValue("edit", { ...change, cells, turn: (turn = Date.now()) })
      }
    },
    unmount() {
      unfollow()
      observer.disconnect()
      mounted.delete(root)
    },
  }
}
