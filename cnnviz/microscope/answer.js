// The answer: one button a class with its probability as a bar; the one before channels were switched off is a tick.

const mounted = new WeakMap()

export default function ({ parentElement, data, setTriggerValue }) {
  let part = mounted.get(parentElement)
  if (!part) mounted.set(parentElement, (part = mountAnswer(parentElement, data[0])))
  part.send = setTriggerValue
  return part.unmount
}

function mountAnswer(root, where) {
  const find = (selector) => root.querySelector(selector)
  const part = { send: () => {}, unmount: () => {} }

  function show({ answer }) {
    if (!answer) return
    find(".head").textContent = answer.title
    find(".note").textContent = answer.note
    const list = find(".classes")
    const focused = list.querySelector(":focus")
    list.replaceChildren(
      ...answer.classes.map((one) => {
        const known = list.querySelector(`[data-class="${one.number}"]`)
        const button = known ?? document.createElement("button")
        button.type = "button"
        button.dataset.testid = "class"
        button.dataset.class = one.number
        button.dataset.value = one.share ?? ""
        button.setAttribute("aria-pressed", String(one.number === answer.chosen))
        button.title = one.words
        button.setAttribute("aria-label", one.words)
        button.style.setProperty("--share", one.share ?? 0)
        button.style.setProperty("--before", one.before ?? -1)
        button.classList.toggle("first", one.number === answer.first)
        button.classList.toggle("moved", one.before !== null)
        if (!known) button.innerHTML = '<span class="label"></span><i></i><span class="value"></span><span class="logit"></span>'
        button.querySelector(".label").textContent = one.label
        button.querySelector(".value").textContent = one.value
        button.querySelector(".logit").textContent = one.logit
        button.onclick = () => {
          list.querySelectorAll("button").forEach((other) => other.setAttribute("aria-pressed", String(other === button)))
          part.send("pick", one.number)
        }
        return button
      }),
    )
    focused?.focus({ preventScroll: true }) // which it has lost on the way
  }

  const unfollow = follow(where, show)
  part.unmount = () => {
    unfollow()
    mounted.delete(root)
  }
  return part
}
