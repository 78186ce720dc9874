// Texts along an axis: gates as maps of time × unit, lines over a text, a text in colours, one step, what influenced what.
const MARK = { false: '#b3006b', true: '#ff7bd0' }
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
function unroll(node, { signs, lanes, at, spans: given, unknown, alt }, screen) {
  const spans = given.filter(([from]) => from < signs.length).map(([from, to, on]) => [from, Math.min(to, signs.length - 1), on])
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

const ended = value => Math.abs(value) >= 10 ? value.toFixed(0).replace('-', '−') : Number(value.toPrecision(2)).toString().replaceAll('-', '−')
function ends({ signed, high, peak }) {  // what is beyond the ends has their colour
  const beyond = peak > 1.001 * high
  return { low: signed ? (beyond ? '≤ ' : '') + ended(-high) : '0', high: (beyond ? '≥ ' : '') + ended(high) }
}
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
    node.__span = [from, to, true]
    screen.tell(block.brush, [from, to], last); repaint()
  }
  canvas.onpointerdown = event => {
    const found = find(event)
    node.__dragged = false
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
    event.preventDefault(); event.stopPropagation(); node.__hovered = false
    const to = between(time + across, 0, count - 1)
    if (event.shiftKey && across && block.brush) {
      const old = node.__span ?? block.spans.find(([, , on]) => on), kept = old && (old[0] === time || old[1] === time)
      const anchor = kept ? (old[0] === time ? old[1] : old[0]) : time
      node.__span = [Math.min(anchor, to), Math.max(anchor, to), true]
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
            named(pen, top, { ...map, k, ...ends(map), rowed }, dark)
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

Object.assign(kinds, {
  along: {
    build(node) { node.append(head(), make('p', 'hint')); reel(node) },
    paint(node, block, values, screen) {
      const signs = Array.from(block.text), count = signs.length, dark = screen.dark
      set(node.querySelector('h4 span'), block.title); set(node.querySelector('.hint'), block.hint)
      const time = place(node, block, screen), size = parseFloat(getComputedStyle(node.querySelector('canvas')).fontSize)
      let from = block.offset
      const all = []
      const lanes = [{ tall: 2.5 * size, axis: 2 }, ...block.lanes.map(lane => {
        const rows = lane.lines.map(([name, k, dashed]) => {
          const row = { name, k, dashed, values: values.subarray(from, from + count) }
          from += count; all.push(row)
          return row
        })
        const tall = Math.max(6.2, 1.3 * rows.length + 1) * size, room = 5, y = v => room + (1 - (between(v, lane.low, lane.high) - lane.low) / (lane.high - lane.low)) * (tall - 2 * room - 4)
        return {
          tall, rows,
          draw({ c, x, wide, first, last, style }, top) {
            c.strokeStyle = style.getPropertyValue('--st-border-color'); c.lineWidth = 1
            for (const v of [lane.low, lane.high, ...(lane.low < 0 && lane.high > 0 ? [0] : [])]) { c.beginPath(); c.moveTo(x(0), top + y(v)); c.lineTo(x(count), top + y(v)); c.stroke() }
            for (const row of rows) {
              c.strokeStyle = RUNS[dark][row.k % RUNS[dark].length]; c.lineWidth = 2; c.setLineDash(row.dashed ? [5, 3] : []); c.lineJoin = 'round'; c.beginPath()
              let pen = false
              for (let t = Math.max(0, first - 1); t < Math.min(count, last + 1); t++) {
                const v = row.values[t], px = x(t) + wide / 2
                if (!Number.isFinite(v)) { pen = false; continue }
                pen ? c.lineTo(px, top + y(v)) : c.moveTo(px, top + y(v)); pen = true
              }
              c.stroke(); c.setLineDash([])
              if (time >= 0 && time < count && Number.isFinite(row.values[time])) { c.fillStyle = c.strokeStyle; c.beginPath(); c.arc(x(time) + wide / 2, top + y(row.values[time]), 3.5, 0, 7); c.fill() }
            }
          },
          label({ c, left, style }, top) {
            c.textBaseline = 'middle'; c.font = `600 ${size}px ${style.fontFamily}`; c.textAlign = 'left'
            rows.forEach((row, k) => {
              const middle = top + (.9 + 1.3 * k) * size
              c.strokeStyle = RUNS[dark][row.k % RUNS[dark].length]; c.lineWidth = 3; c.setLineDash(row.dashed ? [4, 2] : []); c.beginPath(); c.moveTo(0, middle); c.lineTo(12, middle); c.stroke(); c.setLineDash([])
              c.fillStyle = style.color; c.fillText(row.name, 17, middle, left - 17 - 2.6 * size)
            })
            c.textAlign = 'right'; c.font = `${.8 * size}px ${style.fontFamily}`
            for (const v of [lane.low, lane.high]) c.fillText(ended(v), left - 6, top + y(v))
            if (lane.low < 0 && lane.high > 0) c.fillText('0', left - 6, top + y(0))
          },
        }
      })]
      const spans = node.__span ? [...block.spans.filter(([, , on]) => !on), node.__span] : block.spans
      const view = unroll(node, { signs, lanes, at: time, spans, unknown: new Set(block.unknown), alt: block.alt }, screen)
      if (!view) return
      const repaint = () => kinds.along.paint(node, block, values, screen)
      const told = t => `${said(signs, t)}: ${all.map(row => `${row.name} ${read(row.values[t])}`).join(', ')}`
      const choose = t => { node.__mine = t; screen.tell(block.name, t, true) }
      steps(node, view.canvas, block, screen, { time, count, repaint, move: choose })
      brush(node, view, block, screen, { repaint, usual: time >= 0 && time < count ? told(time) : '', choose: ({ t }) => { choose(t); repaint() }, hover: ({ t }) => told(t) })
    },
  },
  passage: {
    build(node) { const em = make('em'), flow = make('div', 'flow'), canvas = make('canvas'); canvas.tabIndex = 0; flow.append(canvas); em.append(make('span'), make('u'), make('span')); node.append(head(em), make('p', 'hint'), flow, make('output')); node.lastChild.ariaLive = 'polite' },
    paint(node, block, values, screen) {
      const signs = Array.from(block.text), count = signs.length, dark = screen.dark, alphabet = Array.from(block.alphabet)
      set(node.querySelector('h4 span'), block.title); set(node.querySelector('.hint'), block.hint)
      const part = (from, length) => values.subarray(block.offset + from, block.offset + from + length)
      const shown = part(0, count), bits = part(count, count), best = part(2 * count, 5 * count), shares = part(7 * count, 5 * count)
      legend(node.querySelector('em'), block.signed, ended(block.signed ? -block.high : 0), ended(block.high), dark)
      const canvas = node.querySelector('canvas'), output = node.querySelector('output'), flow = canvas.parentElement, style = getComputedStyle(canvas)
      const size = parseFloat(style.fontSize), small = .84 * size, width = flow.clientWidth, time = place(node, block, screen), unknown = new Set(block.unknown)
      if (!width) return
      const family = style.getPropertyValue('--st-code-font') || 'monospace', measure = canvas.getContext('2d')
      measure.font = `${size}px ${family}`
      const widest = Math.max(...[...new Set([...signs, 'm'])].map(sign => measure.measureText(glyph(sign)).width))
      const wide = Math.ceil(block.five ? Math.max(widest + 3, 1.15 * size) : widest + 1), columns = Math.max(4, Math.floor((width - 4) / wide))
      const line = 1.6 * size, under = 1.3 * small, tall = block.five ? line + 5 * under + .9 * size : line + .12 * size
      const spots = []
      let row = 0, column = 0
      signs.forEach((sign, t) => {
        if (column >= columns) { row++; column = 0 }
        spots.push([row, column++])
        if (sign === '\n') { row++; column = 0 }
      })
      const height = Math.max(1, (spots.at(-1)?.[0] ?? 0) + 1) * tall + 4
      canvas.style.width = `${width}px`; canvas.style.height = `${height}px`
      label(canvas, block.alt); canvas.role = 'application'
      const c = prepare(canvas, Math.min(devicePixelRatio || 1, 12000 / height)), at = t => [2 + spots[t][1] * wide, 2 + spots[t][0] * tall]
      c.textAlign = 'center'; c.textBaseline = 'middle'
      for (let t = 0; t < count; t++) {
        const [x, y] = at(t), has = Number.isFinite(shown[t]), back = colour(shown[t] / block.high, block.signed, dark)
        if (has) { c.fillStyle = css(back); c.fillRect(x, y, wide, line) }
        c.font = `600 ${size}px ${family}`
        c.fillStyle = has ? legible(back) : style.color
        c.globalAlpha = signs[t] in SIGNS ? .5 : 1; c.fillText(glyph(signs[t]), x + wide / 2, y + line / 2); c.globalAlpha = 1
        if (unknown.has(t)) { c.fillStyle = has ? legible(back) : LINES[dark][1]; c.fillRect(x + 1, y + line - 3, wide - 2, 3); c.fillRect(x + 1, y, wide - 2, 3) }
        if (!block.five) continue
        c.font = `${small}px ${family}`
        for (let j = 0; j < 5; j++) {
          const share = shares[5 * t + j], sign = alphabet[best[5 * t + j]], top = y + line + 2 + j * under
          if (!Number.isFinite(share) || sign === undefined) continue
          const shade = ink(share, dark)
          c.fillStyle = css(shade); c.fillRect(x + 1, top, wide - 2, under - 1)
          c.fillStyle = legible(shade); c.globalAlpha = share < .02 ? .55 : 1; c.fillText(glyph(sign), x + wide / 2, top + under / 2); c.globalAlpha = 1
          if (sign === signs[t + 1]) { c.strokeStyle = RUNS[dark][2]; c.lineWidth = 2; c.strokeRect(x + 1.5, top + .5, wide - 3, under - 2) }
        }
      }
      for (const [from, to, on] of block.spans) for (let t = Math.max(0, from); t <= to && t < count; t++) { const [x, y] = at(t); c.fillStyle = LINES[dark][on ? 1 : 0]; c.fillRect(x, y + line - 2, wide, 2.5) }
      if (time >= 0 && time < count) {
        const [x, y] = at(time), deep = block.five ? tall - .7 * size : line
        c.strokeStyle = MARK[dark]; c.lineWidth = 2.5; c.strokeRect(x - .5, y - .5, wide + 1, deep + 1)
        const seen = `${time} ${count}`
        if (node.__seen !== seen) { node.__seen = seen; if (y < flow.scrollTop || y + deep > flow.scrollTop + flow.clientHeight) flow.scrollTop = y - flow.clientHeight / 3 }
      }
      const told = t => {
        const guesses = [0, 1, 2, 3, 4].filter(j => Number.isFinite(shares[5 * t + j])).map(j => `'${glyph(alphabet[best[5 * t + j]] ?? '?')}' ${(100 * shares[5 * t + j]).toFixed(1)} %`)
        return [`${said(signs, t)}${unknown.has(t) ? ' (not known to the network)' : ''}`, Number.isFinite(shown[t]) ? `${block.what} ${read(shown[t])}` : '', Number.isFinite(bits[t]) ? `${bits[t].toFixed(2)} bits` : '', guesses.length ? `next ${guesses.join(', ')}` : ''].filter(Boolean).join('; ')
      }
      const usual = time >= 0 && time < count ? told(time) : ''
      if (!node.__hovered) set(output, usual)
      const find = event => {
        const row = Math.floor((event.offsetY - 2) / tall), column = Math.floor((event.offsetX - 2) / wide)
        return spots.findIndex(([r, k]) => r === row && k === column)
      }
      canvas.onpointermove = event => { const t = find(event); node.__hovered = t >= 0; set(output, t >= 0 ? told(t) : usual) }
      canvas.onpointerleave = () => { node.__hovered = false; set(output, usual) }
      const choose = t => { node.__mine = t; screen.tell(block.name, t, true); kinds.passage.paint(node, block, values, screen) }
      canvas.onclick = event => { const t = find(event); if (t >= 0) choose(t) }
      canvas.onkeydown = event => {
        const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 0, ArrowDown: 0 }[event.key]
        if (by === undefined || !count) return
        event.preventDefault(); event.stopPropagation(); node.__hovered = false
        if (by) return choose(between(time + by, 0, count - 1))
        const [row, column] = spots[between(time, 0, count - 1)], to = row + (event.key === 'ArrowUp' ? -1 : 1)
        const t = spots.findLastIndex(([r, k]) => r === to && k <= column)
        if (t >= 0) choose(t)
      }
    },
  },
  step: {
    build(node, block) {
      node.append(head(), make('p', 'hint'), make('div', 'terms'), make('p', 'note'))
      for (const _ of block.rows) {
        const row = make('div', 'term-row'); row.append(make('i'), make('b'), make('span', 'formula'), make('span', 'numbers'), make('output')); node.children[2].append(row)
      }
    },
    paint(node, block, _, screen) {
      set(node.querySelector('h4 span'), block.title); set(node.querySelector('.hint'), block.hint); set(node.querySelector('.note'), block.note)
      block.rows.forEach((row, k) => {
        const [dot, symbol, formula, numbers, value] = node.children[2].children[k].children, back = colour(row.share, row.signed, screen.dark)
        dot.style.background = row.colour < 0 ? 'none' : RUNS[screen.dark][row.colour % RUNS[screen.dark].length]
        set(symbol, row.symbol); set(formula, row.formula && `= ${row.formula}`); set(numbers, row.numbers && `= ${row.numbers}`); set(value, row.value)
        value.style.background = css(back); value.style.color = legible(back)
      })
    },
  },
  influence: {
    build(node) {
      const em = make('em'), box = make('div', 'plane'), stage = make('div'), canvas = make('canvas')
      em.append(make('span'), make('u'), make('span')); canvas.tabIndex = 0; stage.append(canvas); box.append(stage)
      node.append(head(em), make('p', 'hint'), box, make('output')); node.lastChild.ariaLive = 'polite'
      box.addEventListener('scroll', () => box.__draw?.())
    },
    paint(node, block, values, screen) {
      const signs = Array.from(block.text), count = signs.length, dark = screen.dark
      set(node.querySelector('h4 span'), block.title); set(node.querySelector('.hint'), block.hint)
      legend(node.querySelector('em'), block.signed, ...block.ends, dark)
      const box = node.querySelector('.plane'), stage = box.firstChild, canvas = stage.firstChild, output = node.querySelector('output'), style = getComputedStyle(canvas), size = parseFloat(style.fontSize)
      const numbers = values.subarray(block.offset, block.offset + count * count), left = 3.4 * size, top = 2.4 * size, most = 700
      const ints = wholes(values, { offset: block.offset + count * count }, count * count)
      if (node.__image?.of !== values || node.__image.dark !== dark) node.__image = { of: values, dark, sheet: count ? sheet(ints, count, count, 1, ramp(block.signed, dark)) : null }
      const width = node.clientWidth
      if (!width) return
      const cell = between(Math.floor((Math.min(width, most) - left - 2) / Math.max(1, count)), 11, 24)
      const [wide, tall] = [left + count * cell + 2, top + count * cell + 2]
      box.style.height = `${Math.min(tall, most) + (wide > width ? 12 : 0)}px`; box.style.width = `${Math.min(width, wide + (tall > most ? 16 : 0))}px`
      stage.style.width = `${wide}px`; stage.style.height = `${tall}px`
      const [shownWide, shownTall] = [Math.min(box.clientWidth, wide), Math.min(box.clientHeight, tall)]
      canvas.style.width = `${shownWide}px`; canvas.style.height = `${shownTall}px`
      label(canvas, block.alt); canvas.role = 'application'
      const [t0, s0] = place(node, block, screen), unknown = new Set(block.unknown)
      const seen = `${t0} ${s0} ${count}`
      if (node.__seen !== seen && t0 >= 0 && s0 >= 0) {
        node.__seen = seen
        const near = (from, room, px) => px < from ? px - room / 3 : px + cell > from + room ? px + cell - room + room / 3 : from
        box.scrollLeft = near(box.scrollLeft, shownWide - left, s0 * cell); box.scrollTop = near(box.scrollTop, shownTall - top, t0 * cell)
      }
      box.__draw = () => {
        const c = prepare(canvas, devicePixelRatio || 1), x = s => left + s * cell - box.scrollLeft, y = t => top + t * cell - box.scrollTop
        c.imageSmoothingEnabled = false
        c.save(); c.beginPath(); c.rect(left - 1, top - 1, shownWide, shownTall); c.clip()
        if (node.__image.sheet) c.drawImage(node.__image.sheet, x(0), y(0), count * cell, count * cell)
        c.strokeStyle = style.getPropertyValue('--st-border-color'); c.lineWidth = 1
        c.beginPath(); c.moveTo(x(0), y(0)); for (let t = 0; t < count; t++) { c.lineTo(x(t + 1), y(t)); c.lineTo(x(t + 1), y(t + 1)) } c.lineTo(x(0), y(count)); c.closePath(); c.stroke()
        if (block.edges.length) {
          c.strokeStyle = LINES[dark][1]; c.lineWidth = 2; c.beginPath(); c.moveTo(x(block.edges[0]), y(0))
          block.edges.forEach((edge, t) => { c.lineTo(x(edge), y(t)); c.lineTo(x(edge), y(t + 1)) }); c.stroke()
        }
        c.strokeStyle = MARK[dark]; c.lineWidth = 1.5
        if (t0 >= 0 && t0 < count) c.strokeRect(x(0), y(t0), (t0 + 1) * cell, cell)
        if (s0 >= 0 && s0 < count) { c.strokeRect(x(s0), y(s0), cell, (count - s0) * cell); c.lineWidth = 2.5; c.strokeRect(x(s0), y(t0), cell, cell) }
        c.restore()
        c.textAlign = 'center'; c.textBaseline = 'middle'
        const letter = (t, px, py) => {
          const here = px < left ? t === t0 : t === s0
          if (here) { c.fillStyle = MARK[dark]; c.fillRect(px - cell / 2, py - cell / 2, cell, cell) }
          c.fillStyle = here ? (dark ? '#111' : '#fff') : unknown.has(t) ? LINES[dark][1] : style.color; c.globalAlpha = signs[t] in SIGNS && !here ? .55 : 1
          c.fillText(glyph(signs[t]), px, py); c.globalAlpha = 1
        }
        const family = style.getPropertyValue('--st-code-font') || 'monospace', font = `600 ${Math.min(size, .98 * cell)}px ${family}`, fine = `${.76 * size}px ${style.fontFamily}`
        for (let t = 0; t < count; t++) {
          if (x(t) >= left - 1 && x(t) < shownWide) { c.font = font; letter(t, x(t) + cell / 2, top - .7 * size); if (t % 10 === 0) { c.font = fine; c.fillText(t, Math.max(x(t) + cell / 2, left + 4), .55 * size) } }
          if (y(t) >= top - 1 && y(t) < shownTall) { c.font = font; letter(t, left - .7 * size, y(t) + cell / 2); if (t % 10 === 0) { c.font = fine; c.textAlign = 'right'; c.fillText(t, left - 1.4 * size, y(t) + cell / 2); c.textAlign = 'center' } }
        }
      }
      box.__draw()
      const told = (t, s) => `from ${said(signs, s)} on the prediction after ${said(signs, t)}: ${block.what} ${number(numbers[t * count + s])}`
      const usual = t0 >= 0 && s0 >= 0 && t0 < count && s0 <= t0 ? told(t0, s0) : 'Point at the map for a value: rows are predictions, columns are characters.'
      if (!node.__hovered) set(output, usual)
      const find = event => [Math.floor((event.offsetY - top + box.scrollTop) / cell), Math.floor((event.offsetX - left + box.scrollLeft) / cell), event.offsetX > left && event.offsetY > top]
      const valid = ([t, s, inside]) => inside && s >= 0 && t < count && s <= t
      canvas.onpointermove = event => { const found = find(event); node.__hovered = valid(found); set(output, node.__hovered ? told(found[0], found[1]) : usual) }
      canvas.onpointerleave = () => { node.__hovered = false; set(output, usual) }
      const choose = (t, s) => { node.__mine = [t, s]; screen.tell(block.name, [t, s], true); kinds.influence.paint(node, block, values, screen) }
      canvas.onclick = event => { const found = find(event); if (valid(found)) choose(found[0], found[1]) }
      canvas.onkeydown = event => {
        const [down, across] = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key] ?? []
        if (down === undefined || !count) return
        event.preventDefault(); event.stopPropagation(); node.__hovered = false
        const t = between(t0 + down, 0, count - 1)
        choose(t, between(s0 + across, 0, t))
      }
    },
  },
  saturation: {
    build(node) { node.append(head(make('em')), make('p', 'hint'), make('canvas'), make('output')) },
    paint(node, block, values, screen) {
      set(node.querySelector('h4 span'), block.title); set(node.querySelector('.hint'), block.hint)
      const colours = block.colours.map(k => RUNS[screen.dark][k % RUNS[screen.dark].length]), em = node.querySelector('em')
      const html = block.gates.map((gate, k) => `<span><i class="run dot" style="background:${colours[k]}"></i>${escape(gate)}</span>`).join('')
      if (em.__html !== html) em.innerHTML = em.__html = html
      const canvas = node.querySelector('canvas'), output = node.querySelector('output'), width = canvas.clientWidth, height = canvas.clientHeight
      label(canvas, block.alt)
      if (!width) return
      const points = []
      let from = block.offset
      block.units.forEach((count, k) => { for (let u = 0; u < count; u++) points.push([k, u, values[from + u], values[from + count + u]]); from += 2 * count })
      const left = 44, bottom = 40, side = Math.min(width - left - 12, height - bottom - 10), x = v => left + v * side, y = v => 10 + (1 - v) * side
      const c = prepare(canvas, devicePixelRatio || 1), style = getComputedStyle(canvas), size = parseFloat(style.fontSize)
      c.strokeStyle = style.getPropertyValue('--st-border-color'); c.lineWidth = 1.5; c.beginPath(); c.moveTo(x(0), y(1)); c.lineTo(x(0), y(0)); c.lineTo(x(1), y(0)); c.closePath(); c.stroke()
      c.font = `${size}px ${style.fontFamily}`; c.fillStyle = style.color; c.textAlign = 'center'; c.textBaseline = 'top'
      for (const v of [0, .5, 1]) c.fillText(v, x(v), y(0) + 4)
      c.textBaseline = 'bottom'; c.fillText(block.axes[0], x(.5), y(0) + bottom - 1)
      c.textBaseline = 'middle'; c.textAlign = 'right'
      for (const v of [.5, 1]) c.fillText(v, x(0) - 6, y(v))
      c.save(); c.translate(size * .7, y(.5)); c.rotate(-Math.PI / 2); c.textAlign = 'center'; c.fillText(block.axes[1], 0, 0); c.restore()
      for (const [k, , a, b] of points) { c.fillStyle = colours[k]; c.globalAlpha = .72; c.beginPath(); c.arc(x(a), y(b), 4.5, 0, 7); c.fill() }
      c.globalAlpha = 1
      for (const [k, u, a, b] of points) if (u === block.chosen[1]) { c.strokeStyle = block.gates[k] === block.chosen[0] ? MARK[screen.dark] : style.color; c.lineWidth = 2; c.beginPath(); c.arc(x(a), y(b), block.gates[k] === block.chosen[0] ? 8.5 : 6.5, 0, 7); c.stroke() }
      const told = ([k, u, a, b]) => `${block.gates[k]} of unit ${u}: ${block.axes[0]} ${(100 * a).toFixed(1)} %, ${block.axes[1]} ${(100 * b).toFixed(1)} %`
      const chosen = points.find(([k, u]) => block.gates[k] === block.chosen[0] && u === block.chosen[1]), usual = chosen ? told(chosen) : 'Point at a unit to read it; click to choose it.'
      const find = event => {
        const far = ([, , a, b]) => (x(a) - event.offsetX) ** 2 + (y(b) - event.offsetY) ** 2, best = points.reduce((one, other) => one && far(one) <= far(other) ? one : other, null)
        return best && far(best) < 225 ? best : null
      }
      if (!node.__hovered) set(output, usual)
      canvas.onpointermove = event => { const best = find(event); node.__hovered = !!best; canvas.style.cursor = best ? 'pointer' : ''; set(output, best ? told(best) : usual) }
      canvas.onpointerleave = () => { node.__hovered = false; set(output, usual) }
      canvas.onclick = event => { const best = find(event); if (best) screen.tell(block.name, [block.gates[best[0]], best[1]], true) }
    },
  },
  typed: {
    stays: true,
    build(node, block) {
      const box = make('label'), area = make('textarea')
      Object.assign(area, { spellcheck: false, autocapitalize: 'off', autocomplete: 'off' })
      box.append(make('span'), area); node.append(box)
    },
    paint(node, block, _, screen) {
      const area = node.querySelector('textarea'), given = block.value.replace(/\r\n?/g, '\n')
      set(node.querySelector('span'), block.label)
      if (area.rows !== block.lines) area.rows = block.lines
      area.maxLength = block.most
      // What was told last stands until something else is known: an answer to an older word is none.
      if (screen.settled && !area.__waits && !area.__composing && area.value !== given) {
        const [first, last] = [area.selectionStart, area.selectionEnd]
        area.value = given
        if (area.matches(':focus')) area.setSelectionRange(first, last)
      }
      const tell = () => { clearTimeout(area.__waits); area.__waits = null; area.__told = performance.now(); screen.tell(block.name, area.value) }
      const rest = soon => { clearTimeout(area.__rests); area.__rests = setTimeout(() => { area.__rests = null; screen.tell(null, null, true) }, soon) }
      const heard = () => {  // the first key at once, those that follow it together
        const soon = TYPED - (performance.now() - (area.__told ?? -TYPED))
        if (soon <= 0) tell()
        else area.__waits ??= setTimeout(tell, soon)
        rest(WRITTEN)
      }
      area.onkeydown = area.onkeyup = area.onkeypress = event => event.stopPropagation()  // or a letter would be one of Streamlit's shortcuts
      area.oncompositionstart = () => { area.__composing = true; clearTimeout(area.__waits); area.__waits = null }
      area.oncompositionend = () => { area.__composing = false; heard() }
      area.oninput = event => { if (!event.isComposing) heard() }
      area.onblur = () => { if (area.__waits) tell(); if (area.__rests) rest(0) }
    },
  },
})
const TYPED = 80, WRITTEN = 1500  // milliseconds: between two tellings, and after the last key until the page's script hears of it

// The colours of a scale between its ends.
function legend(em, signed, low, high, dark) {
  set(em.firstChild, low); set(em.lastChild, high)
  em.querySelector('u').style.background = `linear-gradient(90deg, ${(signed ? [-1, -.5, 0, .5, 1] : [0, .5, 1]).map(v => css(colour(v, signed, dark))).join()})`
}
