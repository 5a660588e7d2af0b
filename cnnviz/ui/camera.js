// Turns the moving picture of a front camera round, as a mirror does, and tells Python why there is no camera.
async function reason() {
  if (!navigator.mediaDevices?.getUserMedia) return "insecure"
  const devices = await navigator.mediaDevices.enumerateDevices()
  if (!devices.some((one) => one.kind === "videoinput")) return "none"
  const asked = await navigator.permissions?.query({ name: "camera" }).catch(() => null)
  return asked?.state === "denied" ? "denied" : ""
}

let watch = 0 // one for all times that Streamlit calls this, since it cleans up after the last one only

export default function ({ setStateValue }) {
  let told = ""
  const look = async () => {
    const why = await reason().catch(() => "none")
    if (why !== told) setStateValue("why", (told = why))
    const video = document.querySelector('[data-testid="stCameraInputWebcamComponent"] video')
    const facing = video?.srcObject?.getVideoTracks()[0]?.getSettings().facingMode
    if (video) video.style.transform = facing === "environment" ? "" : "scaleX(-1)"
    // on phones the file button opens the camera
    const file = document.querySelector(".st-key-camera_file input[type=file]")
    if (file) Object.assign(file, { accept: "image/*", capture: "environment" })
  }
  look()
  clearInterval(watch)
  watch = setInterval(look, 400)
  return () => clearInterval(watch)
}
