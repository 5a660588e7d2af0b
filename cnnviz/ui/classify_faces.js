// The faces of a photo to choose from: numbered boxes on the photo, and a list that is one stop for the keyboard.
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity }
const PAUSE = 200 // ms after the last key before the answer is asked for
const INSIDE = 18 // px that a number needs above its box

function make(tag, kind = "", text = "") {
  const made = document.createElement(tag)
  if (kind) made.className = kind
  if (text) made.textContent = text
  return made
}

function image(src, alt, kind = "") {
  const made = make("img", kind)
  made.src = src
  made.alt = alt
  return made
}

function line(face, number) {
  const made = make("button")
  made.type = "button"
  made.dataset.testid = "face"
  made.dataset.number = number
  made.setAttribute("role", "radio")
  made.append(make("span", "n", String(number)), image(face.src, ""))
  made.setAttribute("aria-label", `Face ${number}`)
  if (!face.label) return made
  made.classList.toggle("unsure", !face.sure)
  made.append(face.avatar ? image(face.avatar, `Avatar: ${face.expression}`, "avatar") : make("span"))
  const said = make("span")
  said.append(make("span", "said", face.sure ? face.label : "Not sure"))
  if (!face.sure) said.append(make("span", "quiet", `most likely ${face.label}`))
  made.append(said, make("span", "p", face.p))
  const words = face.sure ? face.label : `not sure, most likely ${face.label}`
  made.setAttribute("aria-label", `Face ${number}: ${words}, ${face.p}`)
  return made
}

function box([x, y, w, h], number, photo) {
  const made = make("button")
  made.type = "button"
  made.tabIndex = -1 // the list is the keyboard's way
  made.dataset.testid = "box"
  made.dataset.number = number
  made.title = `Face ${number}`
  made.style.cssText = `left:${x}%;top:${y}%;width:${w}%;height:${h}%`
  made.classList.toggle("low", (y / 100) * photo.height < INSIDE)
  made.append(make("span", "", String(number)))
  return made
}

export default function ({ parentElement, data: [data], setTriggerValue }) {
  const root = parentElement.querySelector(".faces")
  const photo = root.querySelector(".photo")
  const boxes = root.querySelector(".boxes")
  const list = root.querySelector(".list")
  const drawn = JSON.stringify([data.faces, data.photo])
  if (root.drawn !== drawn) {
    const focused = list.contains(root.getRootNode().activeElement)
    root.drawn = drawn
    root.wanted = null
    clearTimeout(root.pause) // a key pressed for the photo before
    root.classList.toggle("row", data.row)
    photo.hidden = !data.photo
    if (data.photo) {
      const { src, alt, width, height } = data.photo
      Object.assign(photo.querySelector("img"), { src, alt })
      photo.style.width = `${width}px`
      photo.style.aspectRatio = `${width} / ${height}`
      list.style.setProperty("--high", `${Math.max(height, 240)}px`)
    }
    boxes.replaceChildren(...(data.photo?.boxes ?? []).map((one, n) => box(one, n + 1, data.photo)))
    list.replaceChildren(...data.faces.map((face, n) => line(face, n + 1)))
    list.setAttribute("aria-label", `${data.faces.length} faces`)
    if (focused) root.refocus = true
  }

  const mark = (number, into) => {
    root.held = number
    for (const one of boxes.children) one.classList.toggle("held", +one.dataset.number === number)
    for (const one of list.children) {
      const held = +one.dataset.number === number
      one.classList.toggle("held", held)
      one.setAttribute("aria-checked", String(held))
      one.tabIndex = held ? 0 : -1
      if (!held) continue
      if (into) one.focus({ preventScroll: true })
      // the list moves, the page stays where it is
      const [top, high] = [one.offsetTop, one.offsetHeight]
      if (top < list.scrollTop) list.scrollTop = top
      else if (top + high > list.scrollTop + list.clientHeight) list.scrollTop = top + high - list.clientHeight
    }
  }
  // while keys are still being pressed, an answer to an earlier choice must not pull it back; the same data once more
  // (the theme has changed) know of no later choice
  const given = JSON.stringify(data)
  mark(root.wanted ?? (root.given === given ? root.held : data.chosen), root.refocus)
  root.given = given
  root.refocus = false

  const choose = (number, pause) => {
    if (number === root.held) return mark(number, true) // a click on its box left the focus where no keyboard comes
    root.wanted = number
    mark(number, true)
    clearTimeout(root.pause)
    root.pause = setTimeout(() => {
      root.wanted = null
      setTriggerValue("pick", number)
    }, pause)
  }
  root.onclick = (event) => {
    const one = event.target.closest("[data-number]")
    if (one) choose(+one.dataset.number, 0)
  }
  const near = (event, on) => {
    const number = event.target.closest("[data-number]")?.dataset.number
    for (const one of root.querySelectorAll(".near")) one.classList.remove("near")
    if (on && number) for (const one of root.querySelectorAll(`[data-number="${number}"]`)) one.classList.add("near")
  }
  root.onpointerover = (event) => near(event, true)
  root.onpointerleave = (event) => near(event, false)
  list.onkeydown = (event) => {
    const step = STEPS[event.key]
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return // the browser's own keys
    event.preventDefault()
    choose(Math.min(Math.max(root.held + step, 1), list.children.length), PAUSE)
  }
}
