// Keeps the values that windows are computed from, the last few by digest.
export default function ({ data }) {
  const { body, ...plane } = unpack(data)
  plane.values = plane.dtype === "float32" ? new Float32Array(body.slice().buffer) : body
  for (const digest of [...hub.planes.keys()].slice(0, -3)) hub.planes.delete(digest)
  hub.planes.set(plane.digest, plane)
  tell("plane", { digest: plane.digest })
}
