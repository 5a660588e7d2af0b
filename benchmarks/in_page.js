// Put into a page before its own scripts: finds the frame that first shows what an input changed, counts the bytes that
// come down the wire, and times the handlers of the pointer. All times are the page's performance.now(), milliseconds.

globalThis.bench = (() => {
  const STILL = 250 // a page that shows the same for so long, with no script running, has finished
  const LIMIT = 20_000
  const bench = { bytes: 0, messages: 0, wire: [], moves: [], long: [] } // wire: when each message came
  // tasks of 50 ms and more, during which the page answers nothing
  new PerformanceObserver((list) => bench.long.push(...list.getEntries().map((task) => task.duration))).observe({ type: "longtask" })

  globalThis.WebSocket = class extends WebSocket {
    constructor(...options) {
      super(...options)
      this.addEventListener("message", ({ data }) => {
        bench.bytes += data.byteLength ?? data.size ?? data.length
        bench.messages += 1
        bench.wire.push(performance.now())
      })
    }
  }

  // ------------------------------------------------------------------ from an input to the frame that shows its result

  // The first match of a selector, in shadow trees too (each Streamlit component is one).
  function deep(selector, root = document) {
    const here = root.querySelector(selector)
    if (here) return here
    for (const element of root.querySelectorAll("*")) {
      const inside = element.shadowRoot && deep(selector, element.shadowRoot)
      if (inside) return inside
    }
    return null
  }

  // Canvases that were drawn on since they were last looked at: reading pixels back is not for every frame.
  const drawn = new WeakSet()
  const sums = new WeakMap()
  for (const name of ["drawImage", "putImageData", "fillRect", "clearRect", "strokeRect", "fill", "stroke", "fillText"]) {
    const method = CanvasRenderingContext2D.prototype[name]
    CanvasRenderingContext2D.prototype[name] = function (...values) {
      drawn.add(this.canvas)
      return method.apply(this, values)
    }
  }

  // What an element shows, as a short text: a checksum over every pixel of a canvas, "" while it is blank.
  function look(element) {
    if (!(element instanceof HTMLCanvasElement)) return element?.textContent ?? ""
    if (drawn.has(element) && element.width && element.height) {
      const { data } = element.getContext("2d").getImageData(0, 0, element.width, element.height)
      let sum = 0
      for (const pixel of new Uint32Array(data.buffer)) sum = (Math.imul(sum, 31) + pixel) | 0
      sums.set(element, sum ? String(sum) : "")
      drawn.delete(element)
    }
    return sums.get(element) ?? ""
  }

  // Look at each frame: `must` has to change (on a new page: appear), `also` may. See `watched`.
  bench.watch = (must, also = []) => {
    const selectors = [...must, ...also]
    const elements = selectors.map(() => null)
    const looks = () => selectors.map((selector, n) => {
      if (!elements[n]?.isConnected) elements[n] = deep(selector)
      return look(elements[n])
    })
    const before = looks()
    const opened = performance.now()
    Object.assign(bench, { bytes: 0, messages: 0, wire: [], input: null, cost: 0 })
    let last = before
    let complete = null
    let changed = null
    bench.result = new Promise((resolve, reject) => {
      const frame = () => {
        const now = performance.now()
        const shown = looks()
        bench.cost += performance.now() - now
        if (shown.some((value, n) => value !== last[n])) changed = now
        last = shown
        const missing = must.filter((_, n) => !shown[n] || shown[n] === before[n])
        if (!missing.length) complete ??= now
        const running = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState !== "notRunning"
        if (!missing.length && !running && now - Math.max(changed, bench.wire.at(-1) ?? 0) > STILL) {
          const { bytes, messages, input, wire, cost } = bench
          resolve({ input, complete, changed, bytes, messages, first: wire[0], last: wire.at(-1), cost, origin: performance.timeOrigin })
        } else if (now - opened > LIMIT) reject(new Error(`nothing new within ${LIMIT / 1000} s in ${missing.join(", ")}`))
        else requestAnimationFrame(frame)
      }
      requestAnimationFrame(frame)
    })
    bench.result.catch(() => {}) // read later, by whoever waits for it
  }

  for (const kind of ["click", "keydown"]) addEventListener(kind, (event) => { bench.input = event.timeStamp }, true)
  addEventListener("change", (event) => { if (event.target.type === "file") bench.input = event.timeStamp }, true)

  // ------------------------------------------------------------------ the pointer: everything that one move runs

  let started = 0
  addEventListener("pointermove", () => { started = performance.now() }, true)
  addEventListener("pointermove", () => bench.moves.push(performance.now() - started))

  return bench
})()
