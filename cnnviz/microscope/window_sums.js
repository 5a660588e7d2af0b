// The sums of a window's parts, a line each: the channels of a kernel, which add up, or x and y of a gradient. The line
// whose products stand in the grids is marked; another one brings its own there.

// open: called with the number of a line that is chosen. Gives show(parts, shown, combine); one part has no lines.
function mountSums(holder, open) {
  const line = (n) => {
    const button = document.createElement("button")
    button.type = "button"
    button.dataset.testid = "part"
    button.append(...["op", "name", "n", "mark"].map((name) => Object.assign(document.createElement("span"), { className: name })))
    button.onclick = () => open(n)
    return button
  }
  return (parts, shown, combine) => {
    const many = parts.length > 1 ? parts : []
    if (holder.children.length !== many.length) holder.replaceChildren(...many.map((_, n) => line(n)))
    many.forEach((part, n) => {
      const button = holder.children[n]
      const [op, name, number, mark] = button.children
      op.textContent = combine === "sum" && n ? "+" : ""
      name.textContent = part.name
      number.textContent = numberText(part.sum, true)
      mark.textContent = n === shown ? `these ${part.terms.length} products` : ""
      button.dataset.value = part.sum
      button.setAttribute("aria-pressed", String(n === shown))
      button.title = n === shown ? "" : `Show the products of ${part.name}`
    })
  }
}

// What stands before the result of the parts: Σ, of what, or what a gradient makes of its two.
function signOf(parts, combine) {
  if (combine === "magnitude") return "√(x² + y²)"
  if (combine === "direction") return "angle of (x, y)"
  return parts.length > 1 ? `Σ ${parts.map((part) => part.name).join(" + ")} =` : "Σ"
}

// The same in a sentence: "R −12 (its 9 products are shown) + G −16 + B −18 = −46"; steps: bias and ReLU.
function sumsInWords(parts, shown, combine, result, steps) {
  const count = parts[0].terms.length
  if (parts.length < 2) return `${count} products sum to ${result}; ${steps.join(", ")}.`
  const each = parts.map(
    (part, n) => `${part.name} ${numberText(part.sum)}${n === shown ? ` (its ${count} products are shown)` : ""}`,
  )
  if (combine === "sum") return `${each.join(" + ")} = ${result}; ${steps.join(", ")}.`
  return `${each.join(", ")}; ${signOf(parts, combine)} = ${result}; ${steps.join(", ")}.`
}
