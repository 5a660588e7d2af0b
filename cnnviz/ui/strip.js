// The thumbnails of the picture strip: one button a picture, the one in hand is pressed.
export default function ({ parentElement, data: [data], setTriggerValue }) {
  const strip = parentElement.querySelector(".strip")
  const focused = strip.querySelector(":focus")
  strip.replaceChildren(
    ...data.entries.map((entry) => {
      const known = strip.querySelector(`[data-key="${CSS.escape(entry.key)}"]`)
      const button = known ?? document.createElement("button")
      button.type = "button"
      button.dataset.testid = "sample"
      button.dataset.key = entry.key
      button.title = entry.title
      button.setAttribute("aria-pressed", String(entry.key === data.choice))
      const image = button.firstElementChild ?? button.appendChild(document.createElement("img"))
      if (image.src !== entry.src) image.src = entry.src
      image.alt = `${entry.title}: ${entry.alt}`
      button.onclick = () => setTriggerValue("pick", entry.key)
      return button
    }),
  )
  focused?.focus({ preventScroll: true }) // which it has lost on the way
}
