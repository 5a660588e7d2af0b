// Hands what Python drew to the parts of its block, and asks for finer pictures where the screen could show them.
const asked = new WeakSet()

export default function ({ data, parentElement, setTriggerValue }) {
  const block = unpack(data)
  block.bytes = data // the same ones come again where nothing but the theme has changed
  hub.blocks.set(block.block, block)
  block.coarse = () => {
    if (asked.has(parentElement)) return
    asked.add(parentElement)
    setTriggerValue("coarse", true)
  }
  tell("block", { block: block.block })
  return () => hub.blocks.delete(block.block)
}
