// Texts along an axis: gates as maps of time × unit, lines over a text, a text in colours, one step, what influenced what.
const MARK = { false: '#b3006b', true: '#ffd166' }, NEITHER = { false: '#8a949d', true: '#7d8893' }
const WHOLE = 32767, MISSING = -32768  // 16 bits a value, two of them in the place of a float32
const SIGNS = { '\n': '↵', ' ': '␣', '\t': '⇥', '\r': '␍', '\u00a0': '⍽' }
const glyph = sign => SIGNS[sign] ?? sign
const between = (value, low, high) => Math.max(low, Math.min(high, value))
const read = value => Number.isFinite(value) ? (Math.abs(value) >= .01 || value === 0 ? value.toFixed(Math.abs(value) < 10 ? 3 : 1).replace('-', '−') : number(value)) : '–'

// The colours of shares from −1 to 1: blue and orange, or from 0 on from paper to ink.
const inks = {}
const ink = (share, dark) => { const paper = dark ? 24 : 247, to = dark ? 245 : 15; return Array(3).fill(paper + (to - paper) * between(share || 0, 0, 1)) }
const colour = (share, signed, dark) => signed ? tint(between(share || 0, -1, 1), dark) : ink(share, dark)
const css = rgb => `rgb(${rgb.map(Math.round).join()})`
const ramp = (signed, dark) => signed ? shades(dark) : inks[dark] ??= Uint32Array.from({ length: 1025 }, (_, k) => {
  const [r, g, b] = ink(k / 512 - 1, dark).map(Math.round)
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0
})
const legible = ([r, g, b]) => .299 * r + .587 * g + .114 * b > 125 ? '#111' : '#fff'
const wholes = (values, block, count) => new Int16Array(values.buffer, values.byteOffset + 4 * block.offset, count)

// A strip that scrolls: the canvas stays where it is, as wide as there is room, and what is in sight is painted.
function reel(node) {
  const box = make('div', 'reel'), stage = make('div', 'stage'), canvas = make('canvas')
  canvas.tabIndex = 0; stage.append(canvas); box.append(stage); node.append(box, make('output'))
  node.lastChild.ariaLive = 'polite'
  box.addEventListener('scroll', () => {
    for (const other of node.parentElement.querySelectorAll('.reel')) {
      if (other !== box && other.__count === box.__count && other.scrollLeft !== box.scrollLeft) other.scrollLeft = box.scrollLeft
    }
    box.__draw?.()
  })
}

// Paint lanes below each other over one axis of characters. A lane: { tall, axis, draw(pen, top), label(c, top, left), row(y) }.
function unroll(node, { signs, lanes, at, spans, unknown, alt }, screen) {
  const box = node.querySelector('.reel'), stage = box.firstChild, canvas = stage.firstChild
  const style = getComputedStyle(canvas), size = parseFloat(style.fontSize), ratio = devicePixelRatio || 1
  const width = box.clientWidth, narrow = width < 560, left = narrow ? 64 : 116, count = signs.length
  if (!width) return null
  const wide = between(Math.floor((width - left - 2) / Math.max(1, count)), Math.ceil(size * (signs.some(sign => sign > '\u2e80') ? 1.15 : .95)), 22)
  const tops = [], height = lanes.reduce((top, lane) => { tops.push(top); return top + lane.tall }, 0)
  stage.style.width = `${Math.max(width, left + count * wide + 2)}px`
  canvas.style.width = `${width}px`; canvas.style.height = `${height}px`
  box.__count = count
  label(canvas, alt); canvas.role = 'application'
  const seen = `${at} ${count}`
  if (box.__seen !== seen) {  // another place: into sight with it
    box.__seen = seen
    const x = at * wide, room = width - left
    if (x < box.scrollLeft || x + wide > box.scrollLeft + room) box.scrollLeft = x + wide > box.scrollLeft + room ? x - room + Math.min(room / 3, 6 * wide) : x - room / 3
  }
  box.__draw = () => {
    const c = prepare(canvas, Math.min(ratio, 8000 / height)), scroll = box.scrollLeft
    const first = Math.max(0, Math.floor(scroll / wide)), last = Math.min(count, Math.ceil((scroll + width - left) / wide))
    const x = t => left + t * wide - scroll, pen = { c, x, wide, first, last, size, style, left, width, narrow }
    c.imageSmoothingEnabled = false
    lanes.forEach((lane, k) => {
      c.save(); c.beginPath(); c.rect(left, tops[k], width - left, lane.tall); c.clip()
      lane.axis ? characters(pen, tops[k], lane, signs, at, spans, unknown, screen.dark) : lane.draw(pen, tops[k])
      c.restore()
      if (lane.label) { c.save(); lane.label(pen, tops[k]); c.restore() }
    })
    c.save(); c.beginPath(); c.rect(left - 2, 0, width - left + 2, height); c.clip()
    for (const [from, to, on] of spans) {
      c.strokeStyle = LINES[screen.dark][on ? 1 : 0]; c.lineWidth = 1.5; c.setLineDash([5, 3])
      for (const edge of [x(from), x(to + 1)]) { c.beginPath(); c.moveTo(edge, 0); c.lineTo(edge, height); c.stroke() }
      c.setLineDash([])
    }
    if (at >= 0 && at < count) { c.strokeStyle = MARK[screen.dark]; c.lineWidth = 1.5; c.strokeRect(x(at) - .75, .75, wide + 1.5, height - 1.5) }
    c.restore()
  }
  box.__draw()
  const find = event => {
    const k = tops.findLastIndex(top => event.offsetY >= top)
    return { lane: lanes[k] ?? lanes[0], y: event.offsetY - tops[Math.max(0, k)], t: Math.floor((event.offsetX - left + box.scrollLeft) / wide), out: event.offsetX < left }
  }
  return { canvas, box, find, left, width, wide }
}

function characters({ c, x, wide, first, last, size, style }, top, lane, signs, at, spans, unknown, dark) {
  const middle = top + lane.tall - .75 * size
  const faint = style.getPropertyValue('--st-code-font') || 'monospace'
  c.textAlign = 'center'; c.textBaseline = 'middle'
  if (lane.axis > 1) {
    c.font = `${.78 * size}px ${style.fontFamily}`; c.fillStyle = style.color; c.globalAlpha = .8
    for (let t = Math.floor(first / 10) * 10; t < last; t += 10) c.fillText(t, x(t) + wide / 2, top + .5 * size)
    c.globalAlpha = 1
  }
  for (const [from, to, on] of spans) { c.fillStyle = LINES[dark][on ? 1 : 0]; c.globalAlpha = .3; c.fillRect(x(from), middle - .72 * size, (to - from + 1) * wide, 1.42 * size); c.globalAlpha = 1 }
  c.font = `600 ${size}px ${faint}`
  for (let t = first; t < last; t++) {
    const blank = signs[t] in SIGNS, strange = unknown.has(t)
    if (t === at) { c.fillStyle = MARK[dark]; c.fillRect(x(t), middle - .72 * size, wide, 1.42 * size) }
    c.fillStyle = t === at ? (dark ? '#111' : '#fff') : strange ? LINES[dark][1] : style.color
    c.globalAlpha = blank && t !== at ? .55 : 1
    c.fillText(glyph(signs[t]), x(t) + wide / 2, middle)
    c.globalAlpha = 1
    if (strange) { c.fillRect(x(t) + 2, middle + .62 * size, wide - 4, 2) }
  }
}

// The name of a lane at its left, with the dot of its colour, and the colours of its values with both ends.
function named({ c, size, style, left, narrow }, top, { name, title, k, low, high, signed, rowed }, dark) {
  c.fillStyle = RUNS[dark][k % RUNS[dark].length]; c.beginPath(); c.arc(6, top + .62 * size, 4.5, 0, 7); c.fill()
  c.fillStyle = style.color; c.textAlign = 'left'; c.textBaseline = 'middle'
  c.font = `700 ${1.1 * size}px ${style.fontFamily}`; c.fillText(name, 15, top + .62 * size)
  const room = left - 10 - (rowed ? 2.2 * size : 0)
  c.font = `${.86 * size}px ${style.fontFamily}`
  const far = 15 + 1.1 * size * .7 * name.length + 4
  if (!narrow) c.fillText(title, far, top + .65 * size, room - far)
  const bar = top + 1.5 * size
  for (let i = 0; i < room; i++) {
    c.fillStyle = css(colour(signed ? 2 * i / (room - 1) - 1 : i / (room - 1), signed, dark)); c.fillRect(i, bar, 1.5, .5 * size)
  }
  c.strokeStyle = style.getPropertyValue('--st-border-color'); c.lineWidth = 1; c.strokeRect(.5, bar + .5, room - 1, .5 * size - 1)
  c.fillStyle = style.color; c.font = `${.76 * size}px ${style.fontFamily}`
  c.fillText(low, 0, bar + 1.05 * size); c.textAlign = 'right'; c.fillText(high, room, bar + 1.05 * size)
}

const ended = value => Math.abs(value) >= 10 ? value.toFixed(0).replace('-', '−') : Number(value.toPrecision(2)).toString().replace('-', '−')
const said = (signs, t) => `character ${t} '${glyph(signs[t])}'`

// What a key or the mouse chose stands at once, until an answer that knows of it.
function place(node, block, screen) {
  if (screen !== node.__screen && screen.settled) node.__mine = node.__span = null
  node.__screen = screen
  return node.__mine ?? block.at
}

// A drag along the characters, or with shift anywhere, chooses a span; a click a place.
function brush(node, view, block, screen, { choose, repaint, hover, usual }) {
  const { canvas, box, find } = view, output = node.querySelector('output'), count = box.__count
  const inside = t => between(t, 0, count - 1)
  if (!node.__hovered) set(output, usual)
  const grown = (t, last) => {
    const [from, to] = [node.__anchor, inside(t)].sort((a, b) => a - b)
    node.__span = [from, to, true, '']
    screen.tell(block.brush, [from, to], last); repaint()
  }
  canvas.onpointerdown = event => {
    const found = find(event)
    if (!count || event.button || found.out || !block.brush || event.pointerType === 'touch' || !(found.lane.axis || event.shiftKey)) return
    canvas.setPointerCapture(event.pointerId)
    node.__anchor = inside(found.t); node.__drag = event.shiftKey ? 'moved' : 'still'
    if (event.shiftKey) grown(found.t, false)
  }
  canvas.onpointermove = event => {
    const found = find(event)
    if (node.__drag) {
      if (inside(found.t) !== node.__anchor) node.__drag = 'moved'
      if (event.offsetX > view.width - 12) box.scrollLeft += view.wide
      if (event.offsetX < view.left + 12) box.scrollLeft -= view.wide
      if (node.__drag === 'moved' && node.__to !== found.t) { node.__to = found.t; grown(found.t, false) }
      return
    }
    node.__hovered = !found.out && found.t >= 0 && found.t < count
    canvas.style.cursor = found.lane.axis && block.brush ? 'text' : 'crosshair'
    set(output, node.__hovered ? hover(found) || usual : usual)
  }
  canvas.onpointerleave = () => { node.__hovered = false; set(output, usual) }
  canvas.onpointercancel = () => { node.__drag = null }
  canvas.onpointerup = event => {
    if (node.__drag === 'moved') { grown(find(event).t, true); node.__dragged = true }
    node.__drag = node.__to = null
  }
  canvas.onclick = event => {
    if (node.__dragged) { node.__dragged = false; return }
    const found = find(event)
    if (!found.out && found.t >= 0 && found.t < count && !event.shiftKey) choose(found)
  }
}

function steps(node, canvas, block, screen, { time, count, move, repaint }) {
  canvas.onkeydown = event => {
    const [across, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], PageUp: [-10, 0], PageDown: [10, 0], Home: [-count, 0], End: [count, 0] }[event.key] ?? []
    if (event.key === 'Escape' && block.brush) { node.__span = null; node.__from = null; screen.tell(block.brush, null, true); return }
    if (across === undefined || !count || event.altKey || event.ctrlKey || event.metaKey) return
    event.preventDefault(); event.stopPropagation()
    const to = between(time + across, 0, count - 1)
    if (event.shiftKey && across && block.brush) {
      const old = node.__span ?? block.spans.find(([, , on]) => on), kept = old && (old[0] === time || old[1] === time)
      const anchor = kept ? (old[0] === time ? old[1] : old[0]) : time
      node.__span = [Math.min(anchor, to), Math.max(anchor, to), true, '']
      screen.tell(block.brush, node.__span.slice(0, 2))
    }
    move(to, down); repaint()
  }
}

Object.assign(kinds, {
  gates: {
    build(node) { node.append(head(), make('p', 'hint')); reel(node) },
    paint(node, block, values, screen) {
      const signs = Array.from(block.text), count = signs.length, units = block.order.length, maps = block.maps
      set(node.querySelector('h4 span'), block.title); set(node.querySelector('.hint'), block.hint)
      const ints = wholes(values, block, maps.length * units * count), dark = screen.dark
      const value = (k, row, t) => { const whole = ints[(k * units + row) * count + t]; return whole === MISSING || whole === undefined ? NaN : whole / WHOLE * maps[k].peak }
      if (node.__images?.of !== values || node.__images.dark !== dark) {
        node.__images = { of: values, dark, list: units * count ? maps.map((map, k) => sheet(ints.subarray(k * units * count, (k + 1) * units * count), count, units, map.peak / map.high, ramp(map.signed, dark))) : [] }
      }
      const [unit, time] = place(node, block, screen), chosen = block.order.indexOf(unit)
      const size = parseFloat(getComputedStyle(node.querySelector('canvas')).fontSize)
      const row = units ? Math.max(between(Math.floor(660 / (maps.length * units)), 3, 6), Math.ceil(3.4 * size / units)) : 6
      const lanes = [], rowed = row >= .85 * size
      let since = Infinity
      maps.forEach((map, k) => {
        if (since > 300) { lanes.push({ tall: (k ? 1.6 : 2.5) * size, axis: k ? 1 : 2 }); since = 0 }
        since += units * row
        lanes.push({
          tall: units * row + 7, k, row: y => Math.floor(y / row),
          draw({ c, x, wide, first, last }, top) {
            const image = node.__images.list[k]
            if (image && last > first) c.drawImage(image, first, 0, last - first, units, x(first), top, (last - first) * wide, units * row)
            if (chosen >= 0) { c.strokeStyle = MARK[dark]; c.lineWidth = 1.5; c.strokeRect(x(0) - 2, top + chosen * row - .75, count * wide + 4, row + 1.5) }
          },
          label(pen, top) {
            const { c, left, style } = pen
            named(pen, top, { ...map, k, low: map.signed ? ended(-map.high) : '0', high: ended(map.high), rowed }, dark)
            c.textAlign = 'right'; c.textBaseline = 'middle'; c.font = `${.8 * size}px ${style.fontFamily}`
            if (rowed) block.order.forEach((unit, r) => { c.fillStyle = r === chosen ? MARK[dark] : style.color; c.fillText(unit, left - 5, top + (r + .5) * row) })
            else if (chosen >= 0) { c.fillStyle = MARK[dark]; const y = top + (chosen + .5) * row; c.beginPath(); c.moveTo(left - 2, y); c.lineTo(left - 8, y - 4); c.lineTo(left - 8, y + 4); c.fill() }
          },
        })
      })
      const spans = node.__span ? [...block.spans.filter(([, , on]) => !on), node.__span] : block.spans
      const view = unroll(node, { signs, lanes, at: time, spans, unknown: new Set(block.unknown), alt: block.alt }, screen)
      if (!view) return
      const repaint = () => kinds.gates.paint(node, block, values, screen)
      const all = (row, t) => maps.map((map, k) => `${map.name} ${read(value(k, row, t))}`).join(', ')
      const usual = !count ? 'There is no text to read yet.' : chosen >= 0 && time < count ? `unit ${unit} at ${said(signs, time)}: ${all(chosen, time)}` : 'Point at a map for a value; click it to choose the unit and the character.'
      const move = (t, by) => {
        const next = block.order[between((chosen < 0 ? 0 : chosen) + by, 0, units - 1)] ?? unit
        node.__mine = [next, t]
        screen.tell(block.name, node.__mine, true)
      }
      steps(node, view.canvas, block, screen, { time, count, move, repaint })
      brush(node, view, block, screen, {
        repaint, usual,
        choose({ lane, y, t }) { node.__mine = [lane.axis ? unit : block.order[between(lane.row(y), 0, units - 1)], t]; screen.tell(block.name, node.__mine, true); repaint() },
        hover({ lane, y, t }) {
          if (lane.axis) return `${said(signs, t)}${block.unknown.includes(t) ? ', which the network does not know' : ''}`
          const r = between(lane.row(y), 0, units - 1)
          return `${maps[lane.k].name} of unit ${block.order[r]} at ${said(signs, t)}: ${read(value(lane.k, r, t))}`
        },
      })
    },
  },
})

// An offscreen canvas with a pixel for each value.
function sheet(ints, w, h, scale, table) {
  const canvas = Object.assign(make('canvas'), { width: w, height: h }), context = canvas.getContext('2d')
  const image = context.createImageData(w, h), pixels = new Uint32Array(image.data.buffer)
  for (let k = 0; k < w * h; k++) pixels[k] = ints[k] === MISSING ? 0 : table[Math.round(512 + 512 * between(ints[k] / WHOLE * scale, -1, 1))]
  context.putImageData(image, 0, 0)
  return canvas
}
