// Maps of what counts in a picture: alone, laid over it, or as contours.
const FINE = 448  // pixels, about, of a pane's canvas
kinds.explained = {
  build(node, block) {
    const grid = make('div', 'panes')
    grid.style.setProperty('--columns', block.columns)
    for (const _ of block.rows) {
      const figure = make('figure'), frame = make('div', 'frame'), caption = make('figcaption')
      const bar = make('div', 'scale'); bar.append(make('span'), make('u'), make('span'))
      frame.append(make('canvas'), make('i'), make('p')); caption.append(make('b'), make('span')); figure.append(caption, frame, bar, make('small')); grid.append(figure)
    }
    node.append(head(), make('p', 'hint'), grid, make('output'))
  },
  paint(node, block, values, screen) {
    const [, height, width] = block.shape, output = node.querySelector('output'), frames = [...node.querySelectorAll('.frame')]
    set(node.querySelector('h4 span'), block.title); set(node.querySelector('.hint'), block.hint)
    node.querySelector('h4').hidden = !block.title; node.querySelector('.hint').hidden = !block.hint
    const readable = (k, x, y) => {
      const row = block.rows[k], value = values[block.offset + row.at + Math.floor(y * row.h / height) * row.w + Math.floor(x * row.w / width)]
      return `${number(value)} ${row.unit}`
    }
    const mark = (x, y, k) => {
      for (const frame of frames) {
        const ring = frame.querySelector('i')
        ring.hidden = x === null
        if (x !== null) { ring.style.left = `${100 * (x + .5) / width}%`; ring.style.top = `${100 * (y + .5) / height}%` }
      }
      if (x === null) return set(output, ' ')
      const shown = block.rows[k].view === 'picture' ? block.rows.findIndex(row => row.view !== 'picture') : k
      set(output, `row ${y}, column ${x}` + (shown < 0 ? '' : `: ${block.rows[shown].name} ${readable(shown, x, y)}`))
    }
    block.rows.forEach((row, k) => {
      const frame = frames[k], canvas = frame.querySelector('canvas'), figure = frame.parentElement
      set(figure.querySelector('b'), row.name); set(figure.querySelector('span'), row.words); figure.title = `${row.name}: ${row.words}`
      set(frame.querySelector('p'), row.empty); frame.classList.toggle('empty', !!row.empty)
      label(canvas, `${row.name}: ${row.empty || row.words}`)
      const numbers = values.subarray(block.offset + row.at, block.offset + row.at + row.h * row.w)
      const picture = values.subarray(block.offset, block.offset + block.shape[0] * height * width)
      const bar = figure.querySelector('.scale')
      bar.style.visibility = row.view === 'picture' || row.empty ? 'hidden' : ''
      set(figure.querySelector('small'), row.empty ? '' : row.under)
      const signed = numbers.some(value => value < 0)
      bar.classList.toggle('signed', signed)
      if (row.high) { set(bar.firstChild, number(signed ? -row.high : 0)); set(bar.lastChild, number(row.high)) }
      const drawn = [row.view, row.high, row.empty, screen.dark, sum(numbers), sum(picture)].join()
      if (canvas.__drawn !== drawn) { canvas.__drawn = drawn; paintPane(canvas, block, row, picture, numbers, screen.dark) }
      frame.onpointermove = event => {
        const box = frame.getBoundingClientRect()
        const [x, y] = [(event.clientX - box.left) / box.width * width, (event.clientY - box.top) / box.height * height].map(Math.floor)
        if (x >= 0 && y >= 0 && x < width && y < height) mark(x, y, k)
      }
      frame.onpointerleave = () => mark(null)
      frame.onclick = block.name ? () => screen.tell(block.name, k, true) : null
      frame.style.cursor = block.name ? 'pointer' : 'crosshair'
    })
    if (!output.textContent) mark(null)
  },
}

// Two maps that differ anywhere differ in this, but for a chance of nothing.
function sum(numbers) {
  let total = numbers.length, turn = 1
  for (const value of numbers) { turn = turn * 1.0000137 % 7; total += value * turn }
  return total
}

function paintPane(canvas, block, row, picture, numbers, dark) {
  const [channels, height, width] = block.shape, times = Math.max(1, Math.round(FINE / width))
  canvas.width = width * times; canvas.height = height * times
  const c = canvas.getContext('2d')
  if (row.empty) return
  const small = Object.assign(make('canvas'), { width: row.view === 'map' ? row.w : width, height: row.view === 'map' ? row.h : height })
  const panel = { c: channels, h: height, w: width, columns: 1, offset: 0, high: 1, low: 0, look: block.look }
  if (row.view === 'map') paintPixels(small, { c: 1, h: row.h, w: row.w, columns: 1, offset: 0, high: row.high, look: 'signed' }, numbers, dark)
  else paintPixels(small, panel, picture, dark)
  c.imageSmoothingEnabled = row.view !== 'map' && width > 96
  c.drawImage(small, 0, 0, canvas.width, canvas.height)
  if (row.view === 'overlay') {
    c.fillStyle = dark ? 'rgba(14,17,23,.55)' : 'rgba(255,255,255,.6)'; c.fillRect(0, 0, canvas.width, canvas.height)
    const over = Object.assign(make('canvas'), { width: row.w, height: row.h }), context = over.getContext('2d'), image = context.createImageData(row.w, row.h)
    numbers.forEach((value, k) => {
      const share = Math.max(-1, Math.min(1, value / row.high)), colour = share < 0 ? BLUE : ORANGE
      image.data.set([...colour, 255 * Math.min(1, Math.abs(share) * 1.05)], 4 * k)
    })
    context.putImageData(image, 0, 0)
    c.imageSmoothingEnabled = false
    c.drawImage(over, 0, 0, canvas.width, canvas.height)
  }
  if (row.view === 'contour') for (const sign of [1, -1]) for (const level of block.levels) outline(c, row, numbers, sign, level, canvas)
}

// The edges between values on this side of a level and values beyond it: pixel by pixel, nothing is smoothed.
function outline(c, row, numbers, sign, level, canvas) {
  const beyond = (x, y) => x >= 0 && y >= 0 && x < row.w && y < row.h && sign * numbers[y * row.w + x] >= level * row.high
  const [wide, high] = [canvas.width / row.w, canvas.height / row.h]
  c.beginPath()
  for (let y = 0; y <= row.h; y++) for (let x = 0; x <= row.w; x++) {
    const here = beyond(x, y)
    if (here !== beyond(x - 1, y)) { c.moveTo(x * wide, y * high); c.lineTo(x * wide, (y + 1) * high) }
    if (here !== beyond(x, y - 1)) { c.moveTo(x * wide, y * high); c.lineTo((x + 1) * wide, y * high) }
  }
  c.lineCap = 'round'
  c.strokeStyle = 'rgba(255,255,255,.8)'; c.lineWidth = 2.5 + 2.5 * level; c.stroke()
  c.strokeStyle = `rgb(${(sign > 0 ? ORANGE : BLUE).join()})`; c.lineWidth = 1 + 2.5 * level; c.stroke()
}
