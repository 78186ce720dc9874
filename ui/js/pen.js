// A pad to draw on, by mouse, pen or touch. State 'ink': SIDE×SIDE bytes of ink as base64, '' if none.
const SIDE = 84, WIDTH = 280

function encode(canvas) {
  const small = document.createElement('canvas')
  small.width = small.height = SIDE
  const context = small.getContext('2d')
  context.imageSmoothingQuality = 'high'
  context.drawImage(canvas, 0, 0, SIDE, SIDE)
  const pixels = context.getImageData(0, 0, SIDE, SIDE).data
  let text = '', any = false
  for (let k = 3; k < pixels.length; k += 4) { text += String.fromCharCode(pixels[k]); any ||= pixels[k] > 0 }
  return any ? btoa(text) : ''
}

function restore(canvas, ink) {
  const text = atob(ink), small = document.createElement('canvas')
  small.width = small.height = SIDE
  const context = small.getContext('2d'), image = context.createImageData(SIDE, SIDE)
  for (let k = 0; k < text.length; k++) {
    const at = 4 * k
    image.data[at] = canvas.__grey; image.data[at + 1] = canvas.__grey; image.data[at + 2] = canvas.__grey
    image.data[at + 3] = text.charCodeAt(k)
  }
  context.putImageData(image, 0, 0)
  canvas.getContext('2d').drawImage(small, 0, 0, WIDTH, WIDTH)
}

export default function (component) {
  const { parentElement, data, setStateValue } = component
  const canvas = parentElement.querySelector('canvas'), clear = parentElement.querySelector('button')
  const context = canvas.getContext('2d')
  const back = getComputedStyle(canvas).getPropertyValue('--st-background-color').trim()
  const grey = parseInt(back.slice(1, 3), 16) < 128 ? 245 : 15
  if (canvas.__grey !== grey) {
    const kept = canvas.__grey === undefined ? data.ink : encode(canvas)
    canvas.__grey = grey
    context.clearRect(0, 0, WIDTH, WIDTH)
    if (kept) restore(canvas, kept)
  }
  context.lineWidth = 22; context.lineCap = context.lineJoin = 'round'
  context.strokeStyle = context.fillStyle = `rgb(${grey}, ${grey}, ${grey})`
  const tell = () => {
    if (canvas.__timer) return
    canvas.__timer = setTimeout(() => { canvas.__timer = null; setStateValue('ink', encode(canvas)) }, 100)
  }
  const place = event => {
    const box = canvas.getBoundingClientRect()
    return [(event.clientX - box.left) / box.width * WIDTH, (event.clientY - box.top) / box.height * WIDTH]
  }
  canvas.onpointerdown = event => {
    canvas.setPointerCapture(event.pointerId)
    canvas.__last = place(event)
    context.beginPath(); context.arc(...canvas.__last, 11, 0, 7); context.fill()
    tell()
  }
  canvas.onpointermove = event => {
    if (!canvas.__last) return
    const here = place(event)
    context.beginPath(); context.moveTo(...canvas.__last); context.lineTo(...here); context.stroke()
    canvas.__last = here
    tell()
  }
  canvas.onpointerup = canvas.onpointercancel = () => { canvas.__last = null }
  clear.onclick = () => { context.clearRect(0, 0, WIDTH, WIDTH); tell() }
}
