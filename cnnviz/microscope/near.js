// While the pointer is on a stage the window's panel sticks to the bottom of the screen (see frame.css). Where it would
// cover that stage it is low, with flat cells, or if that does not do, and on a phone, short: the sum and the arrows.

const MARGIN = 8 // pixels between the panel and the bottom of the screen: see frame.css

// Gives near(on, bottom): bottom is where the stage ends, in pixels from the top of the screen, null where no stage is
// under the pointer; without it the panel keeps its form. near.look() chooses the form anew.
function mountNear(root, panel) {
  const phone = matchMedia("(max-width: 759px)")
  let stuck = false
  let until // the bottom that the form was chosen for

  function near(on, bottom = until) {
    if (on === stuck && bottom === until) return
    stuck = on
    until = on ? bottom : undefined
    root.host?.closest(".st-key-window")?.toggleAttribute("data-near", on) // a class would be lost at a rerun
    near.look()
  }
  near.look = () => {
    panel.classList.remove("low", "short")
    if (!stuck) return
    const covers = () => panel.offsetHeight > innerHeight - (until ?? 0) - MARGIN
    if (phone.matches) panel.classList.add("short")
    else if (covers()) {
      panel.classList.add("low")
      if (covers()) panel.classList.replace("low", "short")
    }
  }
  return near
}
