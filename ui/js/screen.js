// A screen of blocks that repaints itself from the server while a run moves, without a script run.
// A packet: the header's length (uint32), the header as JSON padded to four bytes, float32 values.
const BLUE = [0, 114, 178], ORANGE = [213, 94, 0], SIDE = 84, PAD = 336, RESTS = 500, HEARD = 5000, SELDOM = 2000  // these three in milliseconds
const NEAR = 200  // pixels above and below what is in sight
const RUNS = { false: ['#0072b2', '#d55e00', '#007d5b', '#a0457f', '#6b6b6b', '#3d2b8e'], true: ['#56b4e9', '#e69f00', '#3fc79a', '#e08fc2', '#b8b8b8', '#8f7bff'] }  // overlaid runs
const LINES = { false: ['#0072b2', '#d55e00'], true: ['#56b4e9', '#e69f00'] }  // of the light and the dark theme
const wait = ms => new Promise(done => setTimeout(done, ms))
const make = (tag, name, text) => Object.assign(document.createElement(tag), { className: name ?? '', textContent: text ?? '' })
const set = (node, text) => { if (node.textContent !== text) node.textContent = text }
const label = (node, text) => { if (node.ariaLabel !== text) { node.ariaLabel = text; node.role = 'img' } }

function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
  return [header, new Float32Array(bytes.slice(4 + length).buffer)]
}

function isDark(root) {
  const colour = getComputedStyle(root).getPropertyValue('--st-background-color').trim()
  return parseInt(colour.slice(1, 3), 16) < 128
}

// Each kind of block: build(node, block) once for a form, paint(node, block, values, screen) often.
const kinds = {
  progress: {
    build(node) { node.innerHTML = '<p></p><div class="track"><i></i></div>' },
    paint(node, block) {
      set(node.firstChild, block.text)
      node.classList.toggle('warn', block.warn)
      node.lastChild.hidden = block.value === null
      node.querySelector('i').style.width = `${(100 * block.value).toFixed(2)}%`
    },
  },
  figures: {
    build(node, block) {
      node.classList.toggle('aligned', !!block.columns); node.style.setProperty('--columns', block.columns)
      for (const [, , width] of block.rows) {
        const cell = make('div'); cell.append(make('span'), make('b')); node.append(cell)
        cell.style.setProperty('--share', width)
      }
    },
    paint(node, block) {
      block.rows.forEach(([name, value], k) => {
        set(node.children[k].firstChild, name); set(node.children[k].lastChild, value)
      })
    },
  },
  curves: {
    build(node) { node.append(head(make('em'), make('output')), make('canvas')) },
    paint(node, block, values, screen) {
      set(node.querySelector('h4 span'), block.title)
      const canvas = node.querySelector('canvas'), ratio = devicePixelRatio || 1, many = block.names.length > 1
      const legend = (many ? block.names : block.series).map((name, k) => `<span><i class="${many ? `run k${k}` : `k${k}`}"></i>${escape(name)}</span>`)
      if (many) legend.push('<span>training thin, validation thick</span>')
      const em = node.querySelector('em'), html = legend.join('')
      if (em.__html !== html) em.innerHTML = em.__html = html
      const width = canvas.clientWidth, height = canvas.clientHeight
      const count = 3 * block.sizes.reduce((a, b) => a + b, 0)
      const numbers = values.subarray(block.offset, block.offset + count).join()
      const drawn = [numbers, block.last, block.low, block.high, block.now, block.marks.join(), html, width, ratio, screen.dark].join(';')
      if (!width || canvas.__drawn === drawn) return
      canvas.__drawn = drawn
      const c = prepare(canvas, ratio), style = getComputedStyle(canvas)
      const left = 54, bottom = 26, top = 8, right = 8, low = Math.log(block.low), high = Math.log(block.high)
      const x = v => left + v / block.last * (width - left - right)
      const y = v => {
        const share = (Math.log(Math.min(Math.max(v, block.low), block.high)) - low) / (high - low)
        return top + (block.mirrored ? share : 1 - share) * (height - top - bottom)
      }
      c.font = `13px ${style.fontFamily}`; c.fillStyle = style.color; c.lineWidth = 1
      c.strokeStyle = style.getPropertyValue('--st-border-color')
      c.textAlign = 'right'; c.textBaseline = 'middle'
      for (const [value, label] of block.ticks) {
        c.fillText(label, left - 6, y(value)); c.beginPath(); c.moveTo(left, y(value)); c.lineTo(width - right, y(value)); c.stroke()
      }
      c.strokeRect(left, top, width - left - right, height - top - bottom)
      c.textAlign = 'center'; c.textBaseline = 'bottom'
      const every = [1, 2, 5, 10, 20, 50].find(step => block.last / step <= 8) ?? block.last
      for (let epoch = 0; epoch <= block.last; epoch += every) {
        const end = epoch + every > block.last, room = x(block.last - block.last % every) - x(epoch)
        c.textAlign = end ? 'right' : 'center'
        if (end || room > 60) c.fillText(end ? `epoch ${epoch}` : epoch, end ? x(epoch) + 4 : x(epoch), height - 2)
        c.beginPath(); c.moveTo(x(epoch), top); c.lineTo(x(epoch), height - bottom); c.stroke()
      }
      c.strokeStyle = c.fillStyle = style.color; c.textAlign = 'left'; c.textBaseline = 'top'
      let until = -Infinity, line = 0
      for (const [epoch, words] of block.marks) {  // what was changed while it learned
        c.setLineDash([2, 3]); c.beginPath(); c.moveTo(x(epoch), top); c.lineTo(x(epoch), height - bottom); c.stroke(); c.setLineDash([])
        line = x(epoch) < until ? (line + 1) % 4 : 0
        const room = c.measureText(words).width
        c.fillText(words, Math.min(x(epoch) + 3, width - right - room), top + 3 + 15 * line)
        until = x(epoch) + room + 6
      }
      if (block.now !== null) {
        c.lineWidth = 2; c.beginPath(); c.moveTo(x(block.now), top); c.lineTo(x(block.now), height - bottom); c.stroke()
      }
      let at = block.offset
      const runs = block.sizes.map(n => {
        const parts = [0, 1, 2].map(k => values.subarray(at + k * n, at + (k + 1) * n))
        at += 3 * n
        return parts
      })
      for (let r = runs.length - 1; r >= 0; r--) {
        const [xs, ...rows] = runs[r]
        rows.forEach((row, k) => {
          c.strokeStyle = c.fillStyle = many ? RUNS[screen.dark][r] : LINES[screen.dark][k]
          c.lineWidth = many && !k ? 1.2 : 2.5; c.setLineDash(!many && k ? [7, 4] : []); c.beginPath()
          let last = null
          row.forEach((v, i) => { if (!Number.isNaN(v)) { c.lineTo(x(xs[i]), y(v)); last = [x(xs[i]), y(v)] } })
          c.stroke(); c.setLineDash([])
          if (last) { c.beginPath(); c.arc(...last, 3.5, 0, 7); c.fill() }
        })
      }
      const output = node.querySelector('output')
      canvas.onpointermove = event => {
        const place = (event.offsetX - left) / (width - left - right) * block.last
        const show = v => v === undefined || Number.isNaN(v) ? '–' : block.mirrored ? `${(100 * (1 - v)).toFixed(2)} %` : v.toFixed(3)
        let here = place
        const said = runs.map(([xs, ...rows], r) => {
          let best = 0
          xs.forEach((v, i) => { if (Math.abs(v - place) < Math.abs(xs[best] - place)) best = i })
          if (!r) here = xs[best]
          return rows.map(row => show(row[best])).join(', ')
        })
        set(output, `epoch ${here.toFixed(2)}: ${said.join(' | ')}`)
      }
      canvas.onpointerleave = () => set(output, '')
      label(canvas, block.alt)
    },
  },
  dots: {
    build(node) { node.append(head(make('output')), make('canvas')) },
    paint(node, block, values, screen) {
      set(node.querySelector('h4 span'), block.title)
      const canvas = node.querySelector('canvas'), ratio = devicePixelRatio || 1, n = block.names.length
      canvas.style.height = `${Math.min(560, Math.max(60, 20 * n)) + 26}px`
      const width = canvas.clientWidth, height = canvas.clientHeight, row = (height - 26) / Math.max(1, n)
      const drawn = [values.subarray(block.offset, block.offset + n).join(), block.low, block.high, width, ratio, screen.dark].join(';')
      if (!width || canvas.__drawn === drawn) return
      canvas.__drawn = drawn
      const c = prepare(canvas, ratio), style = getComputedStyle(canvas)
      c.font = `13px ${style.fontFamily}`; c.fillStyle = style.color; c.lineWidth = 1
      const left = Math.max(40, ...block.names.map(name => c.measureText(name).width)) + 10, right = 16
      const low = Math.log(block.low), high = Math.log(block.high)
      const x = v => left + (Math.log(Math.max(v, block.low)) - low) / (high - low) * (width - left - right)
      c.strokeStyle = style.getPropertyValue('--st-border-color'); c.textAlign = 'center'; c.textBaseline = 'bottom'
      let end = -Infinity  // of the last tick that has its words
      for (const [value, words] of block.ticks) {
        const room = c.measureText(words).width / 2 + 3
        if (x(value) - room > end) { c.fillText(words, x(value), height - 2); end = x(value) + room }
        c.beginPath(); c.moveTo(x(value), 0); c.lineTo(x(value), height - 26); c.stroke()
      }
      const numbers = values.subarray(block.offset, block.offset + n)
      const every = Math.ceil(15 / row)  // of very many names those that have room
      block.names.forEach((name, k) => {
        const y = (k + .5) * row, v = numbers[k]
        c.fillStyle = style.color; c.textAlign = 'right'; c.textBaseline = 'middle'
        if (k % every === 0) c.fillText(name, left - 8, y)
        c.fillStyle = c.strokeStyle = LINES[screen.dark][0]
        if (!(v > 0) || !Number.isFinite(v)) { c.textAlign = 'left'; c.fillText(v === 0 ? '0' : '–', left + 3, y); return }
        c.lineWidth = 2; c.beginPath(); c.moveTo(left, y); c.lineTo(x(v), y); c.stroke()
        c.beginPath(); c.arc(x(v), y, Math.min(4.5, row / 2), 0, 7); c.fill()
      })
      const output = node.querySelector('output')
      canvas.onpointermove = event => {
        const k = Math.floor(event.offsetY / row)
        set(output, k < n ? `${block.names[k]}: ${numbers[k].toPrecision(3)}` : '')
      }
      canvas.onpointerleave = () => set(output, '')
      label(canvas, block.alt)
    },
  },
  histograms: {
    build(node, block) {
      node.append(make('h4', '', block.title), make('div', 'row'))
      for (const _ of block.rows) {
        const figure = make('figure')
        figure.innerHTML = '<figcaption><b></b><span></span></figcaption><canvas></canvas><div class="ends"><span></span><span></span></div>'
        node.lastChild.append(figure)
      }
    },
    paint(node, block, values, screen) {
      const all = values.subarray(block.offset, block.offset + block.rows.length * block.bins)
      const drawn = [all.join(), JSON.stringify(block.rows), node.clientWidth, screen.dark].join(';')
      if (node.__drawn === drawn) return
      node.__drawn = drawn
      set(node.firstChild, block.title)
      block.rows.forEach((row, k) => {
        const figure = node.lastChild.children[k], canvas = figure.querySelector('canvas')
        const counts = values.subarray(block.offset + k * block.bins, block.offset + (k + 1) * block.bins)
        set(figure.querySelector('b'), row.name); set(figure.querySelector('figcaption span'), row.words)
        figure.classList.toggle('warn', row.warn)
        const [low, high] = figure.querySelectorAll('.ends span')
        set(low, short(row.low)); set(high, short(row.high))
        label(canvas, `Outputs of ${row.name}, from ${short(row.low)} to ${short(row.high)}; ${row.words}`)
        const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight
        if (!width) return
        const c = prepare(canvas, ratio), most = Math.max(1, ...counts)
        c.fillStyle = LINES[screen.dark][row.warn ? 1 : 0]
        counts.forEach((count, i) => {
          const tall = count ? Math.max(1, count / most * height) : 0
          c.fillRect(i * width / counts.length, height - tall, width / counts.length - .5, tall)
        })
        if (row.low < 0 && row.high > 0) {
          c.fillStyle = getComputedStyle(canvas).color
          c.fillRect(-row.low / (row.high - row.low) * width, 0, 1, height)
        }
      })
    },
  },
  gallery: {
    build(node, block) {
      node.append(make('h4', '', block.title), make('p', 'hint'), make('div', 'row'))
      node.style.setProperty('--columns', block.columns); node.style.setProperty('--narrow', block.narrow)
      for (let k = 0; k < block.places; k++) {
        const button = make('button')
        button.append(make('canvas'), make('b'), make('span')); node.lastChild.append(button)
      }
    },
    paint(node, block, values, screen) {
      const [c, h, w] = block.shape, size = c * h * w * block.rows.length
      const drawn = [values.subarray(block.offset, block.offset + size).join(), JSON.stringify(block.rows), block.title, screen.dark].join(';')
      if (node.__drawn === drawn) return
      node.__drawn = drawn
      set(node.firstChild, block.title); set(node.children[1], block.hint)
      for (let k = 0; k < block.places; k++) {
        const button = node.lastChild.children[k], row = block.rows[k]
        button.classList.toggle('empty', !row)
        button.disabled = !row
        if (!row) continue
        const canvas = button.firstChild, panel = { c, h, w, columns: 1, high: 1, look: c === 3 ? 'colour' : block.grey ? 'grey' : 'ink', offset: block.offset + k * c * h * w }
        if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h }
        paintPixels(canvas, panel, values, screen.dark)
        set(button.children[1], row[0]); set(button.children[2], row[1])
        button.onclick = () => screen.tell(block.name, row[2], true)
      }
    },
  },
  maps: {
    build(node, block) {
      node.classList.toggle('framed', !!block.framed)
      for (const panel of block.panels) {
        const figure = make('figure'), canvas = make('canvas')
        figure.innerHTML = '<figcaption><b></b><span></span></figcaption>'
        figure.style.setProperty('--share', panel.share)
        const tiles = panel.look === 'colour' ? panel.c / 3 : panel.c
        canvas.width = panel.columns * (panel.w + 1) - 1
        canvas.height = Math.ceil(tiles / panel.columns) * (panel.h + 1) - 1
        figure.append(canvas); node.append(figure)
      }
      if (block.numbers.length) {
        const rows = make('div', 'figures aligned')
        kinds.figures.build(rows, { columns: 2, rows: block.numbers.map(row => [...row, 1]) }); node.append(rows)
      }
    },
    paint(node, block, values, screen) {
      block.panels.forEach((panel, k) => paintMaps(node.children[k], panel, values, screen.dark))
      if (block.numbers.length) kinds.figures.paint(node.lastChild, { rows: block.numbers })
    },
  },
  matrix: {
    build(node, block) {
      const k = block.classes.length, grid = make('div', 'matrix')
      node.append(make('h4'), grid)
      grid.style.setProperty('--k', k)
      grid.append(make('div', 'read', 'read as →'), make('div', 'true', 'true ↓'))
      grid.classList.toggle('long', block.classes.some(name => name.length > 2))
      for (let row = -1; row < k; row++) for (let column = -1; column < k; column++) {
        if (row >= 0 && column >= 0) { grid.append(make('button')); continue }
        const full = row === column ? '' : block.classes[Math.max(row, column)]
        const name = make('div', 'name', row < 0 && full.length > 2 ? full.slice(0, 3) : full)
        name.title = full; grid.append(name)
      }
    },
    paint(node, block, values, screen) {
      const k = block.classes.length, counts = values.subarray(block.offset, block.offset + k * k)
      const drawn = counts.join() + block.title + block.note + block.chosen + screen.dark
      if (node.__drawn === drawn) return
      node.__drawn = drawn
      set(node.firstChild, block.title)
      set(node.querySelector('.read'), block.note ? `read as → (${block.note})` : 'read as →')
      const cells = node.querySelectorAll('button')
      for (let i = 0; i < k; i++) {
        const row = counts.subarray(k * i, k * i + k), total = row.reduce((a, b) => a + b, 0)
        row.forEach((count, j) => {
          const cell = cells[k * i + j], share = total ? count / total : 0
          const chosen = block.chosen && block.chosen[0] === i && block.chosen[1] === j
          set(cell, count ? String(count) : '·')
          cell.className = (i === j ? 'right' : count ? 'wrong' : 'none') + (chosen ? ' chosen' : '')
          cell.ariaPressed = String(!!chosen)
          cell.style.setProperty('--shade', `${(100 * (i === j ? 0.55 * share ** 3 : (screen.dark ? 0.5 : 0.75) * Math.min(1, 0.25 + 4 * share))).toFixed(0)}%`)
          cell.title = `${count} of ${total} true ${block.classes[i]} read as ${block.classes[j]}: click to see them`
          cell.ariaLabel = `${count} true ${block.classes[i]} read as ${block.classes[j]}`
          cell.onclick = () => screen.tell(block.name, chosen ? null : [i, j], true)
        })
      }
    },
  },
  drag: {
    build(node, block) {
      node.innerHTML = '<label><span></span><output></output><input type="range"></label>'
      node.querySelector('input').setAttribute('aria-label', block.label)
    },
    paint(node, block, _, screen) {
      const input = node.querySelector('input'), output = node.querySelector('output')
      set(node.querySelector('span'), block.label)
      const said = value => block.names?.[value - block.lowest] ?? String(value)
      Object.assign(input, { min: block.lowest, max: block.highest, step: 1, disabled: block.highest <= block.lowest })
      if (!input.__busy) { input.value = block.value; set(output, said(block.value)); input.ariaValueText = said(block.value) }
      input.oninput = () => {
        set(output, said(input.value)); input.__busy = true
        clearTimeout(input.__rest); input.__rest = setTimeout(() => { input.__busy = false }, 600)
        input.__told = input.value
        screen.tell(block.name, Number(input.value))
      }
      // The end of a drag brings the same value again: it is only the last one now.
      input.onchange = () => screen.tell(input.__told === input.value ? null : block.name, Number(input.value), true)
    },
  },
  pad: {
    build(node, block) {
      node.append(make('h4', '', block.title), Object.assign(make('canvas'), { width: PAD, height: PAD }), make('button', '', 'Clear'))
      node.children[1].setAttribute('aria-label', block.title)
    },
    paint(node, block, _, screen) { paintPad(node, block, screen) },
  },
  reading: {
    build(node, block) {
      node.append(make('h4', '', block.title), make('p', 'hint', block.hint), make('canvas'))
      node.classList.toggle('long', block.classes.some(name => name.length > 2))
      for (const name of block.classes) {
        const row = make('div', 'bar'), bar = make('span'), word = make('span', '', name)
        word.title = name; bar.append(make('i')); row.append(word, bar, make('span')); node.append(row)
      }
    },
    paint(node, block, values, screen) {
      node.classList.toggle('empty', block.offset === null)
      if (block.offset === null) return
      const [c, h, w] = block.shape, canvas = node.querySelector('canvas'), n = block.classes.length
      if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h }
      paintPixels(canvas, { c, h, w, columns: 1, offset: block.offset, high: 1, look: c === 3 ? 'colour' : 'ink' }, values, screen.dark)
      label(canvas, block.title)
      const at = block.offset + c * h * w, shares = values.subarray(at, at + n), best = shares.indexOf(Math.max(...shares))
      node.querySelectorAll('.bar').forEach((row, k) => {
        row.classList.toggle('best', k === best)
        row.querySelector('i').style.width = `${(100 * shares[k]).toFixed(1)}%`
        set(row.lastChild, `${(100 * shares[k]).toFixed(1)} %`)
      })
    },
  },
}

const head = (...rest) => { const node = make('h4'); node.append(make('span'), ...rest); return node }
const escape = text => text.replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`)
const short = value => Math.abs(value) >= 100 || value === 0 ? value.toFixed(0) : value.toPrecision(2)

function prepare(canvas, ratio) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map(side => Math.round(side * ratio))
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height }
  const c = canvas.getContext('2d')
  c.setTransform(ratio, 0, 0, ratio, 0, 0)
  c.clearRect(0, 0, width, height)
  return c
}

function paintPixels(canvas, panel, values, dark) {
  const context = canvas.getContext('2d'), image = context.createImageData(canvas.width, canvas.height)
  if (panel.look === 'colour') return paintColour(context, image, panel, values)
  // "ink" is black on white, in the dark theme white on black; "grey" a photograph; else a signed map.
  const grey = panel.look === 'grey', inky = grey || panel.look === 'ink'
  const paper = grey ? 0 : inky ? (dark ? 20 : 255) : (dark ? 24 : 247), ink = grey ? 255 : dark ? 245 : 15
  for (let c = 0; c < panel.c; c++) {
    const left = (c % panel.columns) * (panel.w + 1), top = Math.floor(c / panel.columns) * (panel.h + 1)
    for (let y = 0; y < panel.h; y++) for (let x = 0; x < panel.w; x++) {
      const value = values[panel.offset + (c * panel.h + y) * panel.w + x]
      const at = 4 * ((top + y) * canvas.width + left + x)
      const share = Math.max(-1, Math.min(1, value / panel.high)), size = Math.abs(share)
      const to = inky ? [ink, ink, ink] : share < 0 ? BLUE : ORANGE
      for (let k = 0; k < 3; k++) image.data[at + k] = paper + (to[k] - paper) * size
      image.data[at + 3] = 255
    }
  }
  context.putImageData(image, 0, 0)
}

// Three maps after one another are red, green and blue of a picture; from −high to high, or from 0.
function paintColour(context, image, panel, values) {
  const low = panel.low ?? 0, size = panel.h * panel.w
  for (let tile = 0; tile < panel.c / 3; tile++) {
    const left = (tile % panel.columns) * (panel.w + 1), top = Math.floor(tile / panel.columns) * (panel.h + 1)
    for (let k = 0; k < size; k++) {
      const at = 4 * ((top + Math.floor(k / panel.w)) * image.width + left + k % panel.w)
      for (let c = 0; c < 3; c++) {
        const value = values[panel.offset + (3 * tile + c) * size + k]
        image.data[at + c] = 255 * Math.max(0, Math.min(1, (value - low) / (panel.high - low)))
      }
      image.data[at + 3] = 255
    }
  }
  context.putImageData(image, 0, 0)
}

function paintMaps(figure, panel, values, dark) {
  const canvas = figure.querySelector('canvas'), range = figure.querySelector('span')
  paintPixels(canvas, panel, values, dark)
  set(figure.querySelector('b'), panel.name)
  if (!canvas.__read) set(range, panel.range)
  label(canvas, panel.alt)
  const read = event => {
    const px = Math.floor(event.offsetX / canvas.clientWidth * canvas.width)
    const py = Math.floor(event.offsetY / canvas.clientHeight * canvas.height)
    const column = Math.floor(px / (panel.w + 1)), row = Math.floor(py / (panel.h + 1))
    const x = px - column * (panel.w + 1), y = py - row * (panel.h + 1), c = row * panel.columns + column
    if (panel.look === 'colour' || c >= panel.c || x >= panel.w || y >= panel.h || x < 0 || y < 0) return
    const value = values[panel.offset + (c * panel.h + y) * panel.w + x]
    set(range, `${panel.c > 1 ? `#${c} ` : ''}(${y}, ${x}): ${value.toFixed(3)}`)
  }
  canvas.onpointermove = event => { canvas.__read = event; read(event) }
  canvas.onpointerleave = () => { canvas.__read = null; set(range, panel.range) }
  if (canvas.__read) read(canvas.__read)
}

function encode(canvas) {
  const small = Object.assign(make('canvas'), { width: SIDE, height: SIDE }), context = small.getContext('2d')
  context.imageSmoothingQuality = 'high'
  context.drawImage(canvas, 0, 0, SIDE, SIDE)
  const pixels = context.getImageData(0, 0, SIDE, SIDE).data
  let text = '', any = false
  for (let k = 3; k < pixels.length; k += 4) { text += String.fromCharCode(pixels[k]); any ||= pixels[k] > 0 }
  return any ? btoa(text) : ''
}

// The ink is the visitor's, not a run's: it stays over a change of page, run or window.
function decode(text, canvas) {
  const bytes = atob(text), small = Object.assign(make('canvas'), { width: SIDE, height: SIDE })
  const context = small.getContext('2d'), image = context.createImageData(SIDE, SIDE)
  for (let k = 0; k < bytes.length; k++) image.data[4 * k + 3] = bytes.charCodeAt(k)
  context.putImageData(image, 0, 0)
  const large = canvas.getContext('2d')
  large.imageSmoothingEnabled = false  // or each time that it is read again it would be more blurred
  large.drawImage(small, 0, 0, PAD, PAD)
}

function paintPad(node, block, screen) {
  const canvas = node.querySelector('canvas'), context = canvas.getContext('2d')
  const grey = screen.dark ? 'rgb(245, 245, 245)' : 'rgb(15, 15, 15)'
  const place = `glassbox ${block.name}`
  if (!canvas.__grey && sessionStorage[place]) decode(sessionStorage[place], canvas)
  if (canvas.__grey !== grey) {  // the theme was changed: the same strokes in the other ink
    context.globalCompositeOperation = 'source-in'
    context.fillStyle = grey; context.fillRect(0, 0, PAD, PAD)
    context.globalCompositeOperation = 'source-over'
    canvas.__grey = grey
  }
  context.lineWidth = 26; context.lineCap = context.lineJoin = 'round'
  context.strokeStyle = context.fillStyle = grey
  const at = event => [event.offsetX / canvas.clientWidth * PAD, event.offsetY / canvas.clientHeight * PAD]
  const tell = () => screen.tell(block.name, () => sessionStorage[place] = encode(canvas))
  const news = block.blank && !(canvas.__blank && canvas.__run === screen.run)
  canvas.__blank = block.blank; canvas.__run = screen.run
  if (news && !canvas.__last && sessionStorage[place]) tell()
  canvas.onpointerdown = event => {
    canvas.setPointerCapture(event.pointerId)
    canvas.__last = at(event)
    context.beginPath(); context.arc(...canvas.__last, 13, 0, 7); context.fill()
    tell()
  }
  canvas.onpointermove = event => {
    if (!canvas.__last) return
    const here = at(event)
    context.beginPath(); context.moveTo(...canvas.__last); context.lineTo(...here); context.stroke()
    canvas.__last = here
    tell()
  }
  canvas.onpointerup = canvas.onpointercancel = () => { canvas.__last = null }
  node.querySelector('button').onclick = () => { context.clearRect(0, 0, PAD, PAD); tell() }
}

function build(root, blocks) {
  blocks.forEach((block, k) => {
    const old = root.children[k], form = JSON.stringify(shape(block))
    if (kinds[block.kind].stays && old?.__form === form) return  // somebody may be writing in it
    const node = make('section', block.kind)
    node.style.setProperty('--span', block.span); node.__form = form
    kinds[block.kind].build(node, block)
    old ? old.replaceWith(node) : root.append(node)
  })
  while (root.children.length > blocks.length) root.lastChild.remove()
}

const rows = block => block.places ?? block.rows?.length
const shape = block => [block.kind, block.span, block.name, rows(block), block.classes, (block.kind === 'dots' || block.kind === 'lines') && block.names, block.groups, block.panels?.map(p => [p.c, p.h, p.w, p.columns, p.share, p.look]), block.numbers?.length]

const near = node => { const { top, bottom } = node.getBoundingClientRect(); return bottom > -NEAR && top < innerHeight + NEAR }

// While a run moves, a block that is out of sight is painted seldom: its canvases cost as much as those in sight.
function show(root, bytes, follows = false) {
  const [header, values] = unpack(bytes)
  if (header.url !== root.__url) return  // of a screen that is no more
  if (header.version < root.__version && header.run === root.__run) return  // an older packet came late
  root.classList.remove('lost')
  root.__data = bytes
  root.__version = header.version; root.__run = header.run
  const form = JSON.stringify(header.blocks.map(shape))
  if (root.__form !== form) { build(root, header.blocks); root.__form = form }
  const dark = isDark(root)
  LINES[dark].forEach((colour, k) => root.style.setProperty(`--line${k}`, colour))
  RUNS[dark].forEach((colour, k) => root.style.setProperty(`--run${k}`, colour))
  const settled = !root.__telling || (root.__answered && !root.__told.size)  // it knows of all that was told
  const screen = { dark, run: header.run, settled, tell: (...said) => tell(root, ...said) }
  const now = performance.now(), nodes = [...root.children]
  const later = follows && header.status === 'running' ? nodes.map(node => !near(node)) : []  // all before the first is painted
  header.blocks.forEach((block, k) => {
    if (later[k] && now - (nodes[k].__painted ?? -SELDOM) < SELDOM) return
    nodes[k].__painted = now
    kinds[block.kind].paint(nodes[k], block, values, screen)
  })
  root.__newest = header.status
  hush(root); offer(root, !!header.stopped)
}

// The page's script knows another status than the newest packet: let it run again. Streamlit may drop
// that while another run is under way, so ask until the script knows.
function compare(root) {
  clearTimeout(root.__again)
  if (root.__newest === root.__status || !root.isConnected) return
  root.__moved(`${root.__newest} ${performance.now()}`)
  root.__again = setTimeout(() => compare(root), 1500)
}

// The server knows this screen no more, as after its restart: the page's script draws a new one.
const renew = root => { root.__moved(`new ${performance.now()}`) }

// Where something newer is to be told, what takes long is given up.
async function patiently(root, ask) {
  const began = performance.now(), giving = new AbortController()
  const look = setInterval(() => {
    if (performance.now() - began > 1500 && root.__told.size) giving.abort()
  }, 250)
  try { return await ask(giving.signal) } catch (error) { if (!giving.signal.aborted) throw error }
  finally { clearInterval(look) }
}

// What a control says goes out one at a time, the newest value of each control, and the answer is painted.
// When a value is the last of a gesture, the page's script hears of it too: it stands in the address.
// Without a name the last value is known already.
async function tell(root, name, value, last) {
  if (name !== null) root.__told.set(name, value)
  root.__last ||= last
  if (root.__telling) return
  root.__telling = true; rest(root); watch(root)
  try {
    while (root.__told.size) {
      const [key, made] = root.__told.entries().next().value
      root.__told.delete(key)
      const body = JSON.stringify({ name: key, value: typeof made === 'function' ? made() : made })
      const answer = await patiently(root, signal => fetch(root.__url, { method: 'POST', body, signal }))
      if (!answer) continue  // something newer is to be told
      if (answer.status === 404) return renew(root)
      const bytes = answer.status === 200 ? new Uint8Array(await answer.arrayBuffer()) : null
      root.__answered = true
      if (bytes) show(root, bytes)
      root.__answered = false
      compare(root)
    }
    if (root.__last) {  // once the hand rests: the script makes the browser draw the whole page anew
      clearTimeout(root.__hear)
      root.__hear = setTimeout(() => { root.__hear = null; root.__moved(`told ${performance.now()}`) }, RESTS)
    }
  } finally { root.__telling = root.__answered = root.__last = false; rest(root) }
}

// Busy from what a control says, or from a new status, until the page's script has run on it, and
// until what that draws is there.
function rest(root) {
  const busy = root.__telling || root.__hear || root.__asking || root.__pending
  if (root.ariaBusy !== (busy ? 'true' : null)) root.ariaBusy = busy ? 'true' : null
}

function ask(root, component, status) {
  clearTimeout(root.__asking)
  root.__asking = setTimeout(() => { root.__asking = null; rest(root) }, HEARD)
  rest(root)
  component.setTriggerValue('moved', status)
}

async function follow(root) {
  const mine = root.__follower = {}
  while (root.isConnected && root.__follower === mine) {
    const began = performance.now()
    try {
      if (document.hidden) { await wait(1000); continue }
      const answer = await fetch(`${root.__url}?run=${root.__run}&after=${root.__version}`)
      if (root.__follower !== mine) return
      if (answer.status === 200) { show(root, new Uint8Array(await answer.arrayBuffer()), true); compare(root) }
      else if (answer.status === 404) { renew(root); await wait(3000) }
      else if (answer.status !== 204) await wait(2000)
    } catch { root.classList.add('lost'); await wait(2000) }  // the server is away for a moment
    await wait(Math.max(0, root.__period - (performance.now() - began)))
  }
}

// Each value that comes into the address would be an entry of the history, and "back" dead for as many
// presses: it shall lead to the page before. And Streamlit leaves a page by way of its bare address:
// the entry gets its settings back just before the next page is pushed.
if (!window.glassboxHistory) {
  const push = window.glassboxHistory = history.pushState.bind(history)
  let full = null
  history.pushState = (state, title, url) => {
    const [here, next] = [new URL(location.href), new URL(url ?? '', location.href)]
    if (next.pathname === here.pathname) {
      full = here.search && !next.search ? here.href : null
      return history.replaceState(state, title, url)
    }
    if (full && !here.search) { history.replaceState(history.state, '', full); full = null }
    return push(state, title, url)
  }
}

// What the page's script drew is there: from now on the screen follows its run.
function begin(root, header) {
  if (header.run === root.__run) compare(root)
  if (header.follow) { if (!root.__follower) follow(root) } else root.__follower = null
}

export default function (component) {
  const root = component.parentElement.querySelector('.screen')
  const [header] = unpack(component.data)
  root.__told ??= new Map()
  if (root.__url !== header.url) root.__version = -1  // another server counts anew
  root.__url = header.url; root.__status = header.status; root.__period = header.period
  root.__moved = status => ask(root, component, status)
  const news = root.__given !== component.data
  root.__given = component.data
  if (news) { clearTimeout(root.__asking); root.__asking = null; root.__pending = !!header.pending; rest(root) }
  // Drawn again for another reason than new data, the newest packet stands, not the script's.
  const bytes = news && !header.pending ? component.data : root.__data
  if (bytes) show(root, bytes)
  if (header.summons > (root.__summons ?? header.summons)) root.parentElement.scrollIntoView({ behavior: 'smooth' })
  root.__summons = header.summons
  if (!root.__sized) {
    root.__sized = new ResizeObserver(() => root.__data && show(root, root.__data))
    root.__sized.observe(root)
  }
  if (root.__pending) watch(root); else begin(root, header)
  return () => { root.__follower = null; root.__sized?.disconnect() }
}
