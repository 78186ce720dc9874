// Maps of numbers as pictures. data: a header's length (uint32), the header as JSON padded to four
// bytes, then float32 values. Everything is built once and afterwards only repainted.
const BLUE = [0, 114, 178], ORANGE = [213, 94, 0]

function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
  const values = new Float32Array(bytes.slice(4 + length).buffer)
  return [header, values]
}

function build(root, panels) {
  root.replaceChildren()
  root.__panels = panels.map(panel => {
    const figure = document.createElement('figure')
    figure.innerHTML = '<figcaption><b></b><span></span></figcaption><canvas role="img"></canvas>'
    figure.style.setProperty('--share', panel.share)
    root.append(figure)
    const canvas = figure.querySelector('canvas')
    canvas.width = panel.columns * (panel.w + 1) - 1
    canvas.height = Math.ceil(panel.c / panel.columns) * (panel.h + 1) - 1
    return { figure, canvas, context: canvas.getContext('2d'),
      name: figure.querySelector('b'), range: figure.querySelector('span') }
  })
}

function paint(slot, panel, values, dark) {
  const { canvas, context } = slot, image = context.createImageData(canvas.width, canvas.height)
  const paper = panel.colours === 'ink' ? (dark ? 20 : 255) : (dark ? 24 : 247)
  const ink = dark ? 245 : 15
  for (let c = 0; c < panel.c; c++) {
    const left = (c % panel.columns) * (panel.w + 1), top = Math.floor(c / panel.columns) * (panel.h + 1)
    for (let y = 0; y < panel.h; y++) for (let x = 0; x < panel.w; x++) {
      const value = values[panel.offset + (c * panel.h + y) * panel.w + x]
      const at = 4 * ((top + y) * canvas.width + left + x)
      const share = Math.max(-1, Math.min(1, value / panel.high)), size = Math.abs(share)
      const to = panel.colours === 'ink' ? [ink, ink, ink] : share < 0 ? BLUE : ORANGE
      for (let k = 0; k < 3; k++) image.data[at + k] = paper + (to[k] - paper) * size
      image.data[at + 3] = 255
    }
  }
  context.putImageData(image, 0, 0)
  slot.name.textContent = panel.name
  slot.range.textContent = panel.range
  canvas.setAttribute('aria-label', panel.alt)
  canvas.onpointermove = event => {
    const box = canvas.getBoundingClientRect()
    const px = Math.floor((event.clientX - box.left) / box.width * canvas.width)
    const py = Math.floor((event.clientY - box.top) / box.height * canvas.height)
    const column = Math.floor(px / (panel.w + 1)), row = Math.floor(py / (panel.h + 1))
    const x = px - column * (panel.w + 1), y = py - row * (panel.h + 1), c = row * panel.columns + column
    if (c >= panel.c || x >= panel.w || y >= panel.h || x < 0 || y < 0) return
    const value = values[panel.offset + (c * panel.h + y) * panel.w + x]
    slot.range.textContent = `${panel.c > 1 ? `#${c} ` : ''}row ${y}, column ${x}: ${value.toFixed(3)}`
  }
  canvas.onpointerleave = () => { slot.range.textContent = panel.range }
}

export default function (component) {
  const root = component.parentElement.querySelector('.board')
  const [header, values] = unpack(component.data)
  const form = JSON.stringify(header.panels.map(p => [p.c, p.h, p.w, p.columns, p.share]))
  if (root.__form !== form) { build(root, header.panels); root.__form = form }
  const back = getComputedStyle(root).getPropertyValue('--st-background-color').trim()
  const dark = parseInt(back.slice(1, 3), 16) < 128
  header.panels.forEach((panel, k) => {
    const slot = root.__panels[k]
    if (!slot.figure.matches(':hover')) paint(slot, panel, values, dark)
  })
}
