// A softmax and its temperature: the dial, own logits, bars and the formula, gradients, the entropy, draws.
const EDGE = .055, HELD = 600  // of a dial's length, before and behind its log scale; milliseconds that a hand rests
const degrees = heat => heat === Infinity ? '∞' : String(Number(heat.toPrecision(3)))
const toldAs = heat => heat === Infinity ? 'inf' : heat

// The temperatures that a hand can reach between two ends: round ones, and those that have words.
const grids = new Map()
function warmths(low, high, more) {
  const key = [low, high, ...more].join()
  if (!grids.has(key)) {
    const found = new Set([low, high, ...more.filter(heat => heat >= low && heat <= high)])
    for (let power = Math.floor(Math.log10(low)) - 1; 10 ** power <= high; power++) {
      for (let digits = 10; digits < 100; digits += digits < 20 ? .5 : digits < 50 ? 1 : 2) {
        const heat = Number((digits * 10 ** power).toPrecision(3))
        if (heat >= low && heat <= high) found.add(heat)
      }
    }
    if (grids.size > 50) grids.clear()
    grids.set(key, [...found].sort((a, b) => a - b))
  }
  return grids.get(key)
}
const closest = (all, far) => all.reduce((best, each) => far(each) < far(best) ? each : best, all[0])
const above = (all, heat) => all.find(each => each > heat * (1 + 1e-9)) ?? all.at(-1)
const below = (all, heat) => all.findLast(each => each < heat * (1 - 1e-9)) ?? all[0]

// As many of a part's children as there are things, each made once.
function matched(box, count, made) {
  while (box.children.length < count) box.append(made())
  while (box.children.length > count) box.lastChild.remove()
  return box.children
}
const stretch = (bar, share) => { const to = `scaleX(${share.toFixed(4)})`; if (bar.__to !== to) bar.style.transform = bar.__to = to }
const toggle = (node, name, on) => { if (node.classList.contains(name) !== !!on) node.classList.toggle(name, !!on) }
const part = (tag, name, ...inside) => { const node = make(tag, name); node.append(...inside); return node }

Object.assign(kinds, {
  dial: {
    stays: true,
    build(node, block) {
      node.innerHTML = '<p class="count"><label><span></span> <b>T =</b> <input type="text" inputmode="decimal" size="6"></label><output></output></p>'
        + '<div class="slide"><input type="range" min="0" max="1" step="any"><div class="marks"></div></div><p class="stops"></p>'
      for (const input of node.querySelectorAll('input')) input.ariaLabel = block.label
    },
    paint(node, block, _, screen) {
      node.__screen = screen
      const given = block.value ?? Infinity, form = JSON.stringify([block.marks, block.also, block.limits, block.low, block.high])
      if (!node.__held && (screen.settled || node.__heat === undefined)) node.__heat = given
      const range = node.querySelector('[type=range]'), field = node.querySelector('[type=text]')
      const edge = block.limits ? EDGE : 0, also = block.also.map(([heat]) => heat ?? Infinity)
      const place = heat => heat === 0 ? 0 : heat === Infinity ? 1 : edge + (1 - 2 * edge) * between(Math.log(heat / block.low) / Math.log(block.high / block.low), 0, 1)
      const ends = block.limits ? [0, Infinity] : [], marked = block.marks.map(([heat]) => heat)
      const all = () => [...ends.slice(0, 1), ...warmths(block.low, block.high, [...marked, ...also, given].filter(heat => heat > 0 && heat < Infinity)), ...ends.slice(1)]
      const show = () => {
        const heat = node.__heat
        if (!node.__held) range.value = place(heat)
        range.ariaValueText = degrees(heat)
        if (!field.matches(':focus') && field.value !== degrees(heat)) field.value = degrees(heat)
        for (const mark of node.querySelectorAll('.marks button, .stops button')) toggle(mark, 'here', mark.__heat === heat)
      }
      const go = (heat, last) => { node.__heat = heat; node.__screen.tell(block.name, toldAs(heat), last); show() }
      const goLast = heat => { node.__held = false; go(heat, true) }
      set(node.querySelector('label span'), block.label); set(node.querySelector('output'), block.note)
      if (node.__drawn !== form) {
        node.__drawn = form
        const button = (heat, words, name) => { const made = make('button', name, words); made.__heat = heat; made.onclick = () => node.__go(heat); return made }
        const known = [...(block.limits ? [[0, '0']] : []), ...block.marks, ...(block.limits ? [[Infinity, '∞']] : [])]
        node.querySelector('.marks').replaceChildren(...known.map(([heat, words]) => {
          const mark = button(heat, words, '')
          mark.style.setProperty('--at', place(heat)); mark.tabIndex = -1
          mark.ariaLabel = mark.title = heat === 0 ? 'T = 0, argmax' : heat === Infinity ? 'T = ∞, uniform' : `T = ${words}`
          return mark
        }))
        node.querySelector('.stops').replaceChildren(...block.also.map(([heat, words]) => button(heat ?? Infinity, words, 'chip')))
      }
      node.__go = goLast
      range.oninput = () => {
        node.__held = true
        clearTimeout(node.__rests); node.__rests = setTimeout(() => { node.__held = false }, HELD)
        const at = Number(range.value), heat = closest(all(), each => Math.abs(place(each) - at))
        if (heat !== node.__heat) go(heat, false)
      }
      range.onchange = () => { node.__held = false; show(); node.__screen.tell(null, null, true) }
      field.onchange = () => {
        const text = field.value.trim().replace(',', '.').toLowerCase(), heat = /^(∞|inf|infinity)$/.test(text) ? Infinity : text === '' ? NaN : Number(text)
        const fits = block.limits ? heat === 0 || heat === Infinity || heat > 0 : heat > 0
        if (fits) goLast(heat === 0 || heat === Infinity ? block.limits ? heat : block.high : between(heat, block.low, block.high))
        field.value = degrees(node.__heat)
      }
      field.onblur = () => { field.value = degrees(node.__heat) }
      field.onfocus = () => field.select()
      node.onkeydown = event => {
        if (event.target === field) { event.stopPropagation(); return }  // or a letter would be one of Streamlit's shortcuts
        if (event.target !== range || event.altKey || event.ctrlKey || event.metaKey) return
        const stops = all(), rough = [...ends.slice(0, 1), ...marked, ...ends.slice(1)], big = event.shiftKey ? rough : stops, heat = node.__heat
        const to = {
          ArrowLeft: () => below(big, heat), ArrowDown: () => below(big, heat), ArrowRight: () => above(big, heat), ArrowUp: () => above(big, heat),
          PageDown: () => below(rough, heat), PageUp: () => above(rough, heat), Home: () => stops[0], End: () => stops.at(-1),
        }[event.key]
        if (!to) return
        event.preventDefault(); event.stopPropagation()
        node.__held = false; go(to(), false)
      }
      node.onkeyup = event => { if (event.target === range && /^(Arrow|Page|Home|End)/.test(event.key)) node.__screen.tell(null, null, true) }
      show()
    },
  },
  logits: {
    stays: true,
    build(node) { node.append(head(), make('p', 'hint'), make('div', 'knobs'), make('p', 'stops')) },
    paint(node, block, _, screen) {
      titled(node, block, screen); node.__screen = screen
      if (!node.__held && (screen.settled || node.__values?.length !== block.values.length)) node.__values = [...block.values]
      const knobs = matched(node.querySelector('.knobs'), block.labels.length, () => {
        const knob = make('label', 'knob')
        knob.append(make('span'), Object.assign(make('input'), { type: 'range', step: 'any' }), make('output'))
        return knob
      })
      const reach = block.high - block.low
      const go = (k, value, last) => { node.__values[k] = value; node.__screen.tell(block.name, [...node.__values], last); show(k) }
      const show = k => {
        const [name, range, output] = knobs[k].children, value = node.__values[k], text = value.toFixed(2).replace('-', '−')
        set(name, block.labels[k]); set(output, text)
        if (range.__ends !== reach) { range.__ends = reach; range.min = block.low; range.max = block.high }
        if (!(node.__held && range === node.__hand)) range.value = value
        range.ariaLabel = `z of ${block.labels[k]}`; range.ariaValueText = text
        range.style.setProperty('--zero', (-block.low / reach).toFixed(4))
      }
      block.labels.forEach((_, k) => {
        const range = knobs[k].children[1]
        show(k)
        range.oninput = () => {
          node.__held = true; node.__hand = range
          clearTimeout(node.__rests); node.__rests = setTimeout(() => { node.__held = false }, HELD)
          go(k, Math.round(10 * Number(range.value)) / 10, false)
        }
        range.onchange = () => { node.__held = false; show(k); node.__screen.tell(null, null, true) }
        range.onkeydown = event => {
          const size = event.shiftKey || event.key.startsWith('Page') ? 1 : .1
          const by = { ArrowLeft: -size, ArrowDown: -size, PageDown: -size, ArrowRight: size, ArrowUp: size, PageUp: size }[event.key]
          if (by === undefined || event.altKey || event.ctrlKey || event.metaKey) return
          event.preventDefault(); event.stopPropagation(); node.__held = false
          go(k, between(Math.round(10 * (node.__values[k] + by)) / 10, block.low, block.high), false)
        }
        range.onkeyup = event => { if (/^(Arrow|Page|Home|End)/.test(event.key)) node.__screen.tell(null, null, true) }
      })
      const stops = JSON.stringify(block.presets)
      if (node.__stops !== stops) {
        node.__stops = stops
        node.querySelector('.stops').replaceChildren(...block.presets.map(([words, values]) => {
          const chip = make('button', 'chip', words)
          chip.onclick = () => { node.__held = false; node.__values = [...values]; node.__screen.tell(block.name, values, true); kinds.logits.paint(node, { ...block, values }, _, { ...node.__screen, settled: false }) }
          return chip
        }))
      }
    },
  },
  softmax: {
    build(node) {
      const cell = name => part('div', `cell ${name}`, part('u', '', make('i')), make('b'))
      node.__row = () => part('div', 'soft', make('span', 'name'), make('span', 'z'), cell('scaled'), cell('exp'), cell('p'))
      const heads = part('div', 'soft heads', make('span', '', ''), part('span', 'z', make('var', '', 'z')), make('span', 'scaled'), make('span', 'exp'), make('span', 'p'))
      const sums = part('div', 'soft sums', make('span'), make('span'), make('span', 'scaled'), make('span', 'exp'), make('span', 'p'))
      const table = part('div', 'softs', heads, make('div', 'body'), sums)
      const frac = name => part('span', `frac ${name}`, make('span'), make('span'))
      const formula = part('p', 'formula', make('span', 'of'), make('span', '', '='), frac('letters'), make('span', '', '='), frac('given'), make('span', '', '='), frac('worked'), make('span', '', '='), make('b', 'result'))
      table.tabIndex = 0
      formula.ariaLive = 'polite'
      node.append(head(), make('p', 'hint'), table, formula, make('p', 'note'))
    },
    paint(node, block, values, screen) {
      titled(node, block, screen)
      const table = node.querySelector('.softs'), [heads, body, sums] = table.children, shift = block.subtracted !== null
      if (screen.settled || node.__at === undefined || !block.table.some(row => row.id === node.__at)) node.__at = block.at
      if (table.ariaLabel !== block.alt) { table.ariaLabel = block.alt; table.role = 'application' }
      const power = shift ? 'exp((z − m)/T)' : 'exp(z/T)'
      set(heads.children[2], 'z/T'); set(heads.children[3], power); set(heads.children[4], block.log ? 'p, log from 1e-6' : 'p, of 1')
      set(sums.children[2], !shift ? '' : `m = ${block.subtracted}`); set(sums.children[3], block.frozen ? '' : `Σ = ${block.total}`)
      set(sums.children[4], '┊ = 1/N each')
      node.style.setProperty('--level', block.level.toFixed(4))
      const rows = matched(body, block.table.length, node.__row)
      const state = { overflow: 'overflow', underflow: 'underflow', division: '' }
      block.table.forEach((row, k) => {
        const line = rows[k], [name, z, scaled, exp, p] = line.children
        set(name, row.label); set(z, row.z); set(scaled.lastChild, row.scaled); set(p.lastChild, row.p)
        set(exp.lastChild, row.state === 'not a number' ? 'NaN' : `${row.exponential}${state[row.state] ? `, ${state[row.state]}` : ''}`)
        const bar = scaled.firstChild.firstChild
        stretch(bar, row.tilt); toggle(bar, 'minus', row.tilt < 0); toggle(scaled, 'beyond', row.beyond); toggle(scaled, 'left', row.tilt < 0)
        stretch(exp.firstChild.firstChild, row.height); toggle(exp, 'wrong', row.state && (!shift || row.state !== 'underflow')); toggle(exp, 'small', row.state === 'underflow')
        stretch(p.firstChild.firstChild, row.share); toggle(p, 'wrong', row.p === 'NaN')
        toggle(line, 'others', row.id < 0); line.__id = row.id
      })
      const largest = block.table.filter(each => each.id >= 0).sort((a, b) => b.height - a.height).map(each => each.state === 'not a number' ? 'NaN' : each.exponential)
      const terms = `${largest.slice(0, 3).join(' + ')}${block.table.length > 3 ? ' + …' : ''}`
      const [of, , letters, , given, , worked, , result] = node.querySelector('.formula').children
      const show = id => {
        const row = block.table.find(each => each.id === id) ?? block.table[0]
        for (const line of rows) toggle(line, 'at', line.__id === row?.id)
        if (!row) return
        set(of, `p(${row.label})`); set(result, row.p)
        toggle(node, 'frozen', block.frozen); toggle(node, 'summed', !block.frozen && row.id < 0)
        if (block.frozen) { set(letters.firstChild, 'the limit T → 0 gives all to the largest z; equal ones share it'); set(letters.lastChild, '') }
        else if (row.id < 0) { set(letters.firstChild, 'Σ of theirs'); set(letters.lastChild, 'Σ of all') }
        else {
          set(letters.firstChild, power); set(letters.lastChild, `Σⱼ ${power.replace('z', 'zⱼ')}`)
          set(given.firstChild, shift ? `exp((${row.z} − ${block.subtracted.startsWith('−') ? `(${block.subtracted})` : block.subtracted}) / ${block.temperature})` : `exp(${row.z} / ${block.temperature})`); set(given.lastChild, terms)
        }
        set(worked.firstChild, row.state === 'not a number' ? 'NaN' : row.exponential); set(worked.lastChild, block.total)
      }
      show(node.__over ?? node.__at)
      set(node.querySelector('.note'), block.note)
      const at = event => event.target.closest?.('.body > .soft')?.__id
      const choose = (id, last) => { node.__at = id; show(id); if (block.name && id >= 0) screen.tell(block.name, id, last) }
      body.onpointerover = event => { node.__over = event.pointerType === 'touch' ? undefined : at(event); show(node.__over ?? node.__at) }
      body.onpointerleave = () => { node.__over = undefined; show(node.__at) }
      body.onclick = event => { const id = at(event); if (id !== undefined && id >= 0) choose(id, true) }
      table.onkeydown = event => {
        const by = { ArrowUp: -1, ArrowDown: 1 }[event.key], known = block.table.filter(row => row.id >= 0).map(row => row.id)
        if (!by || !known.length) return
        event.preventDefault(); event.stopPropagation(); node.__over = undefined
        choose(known[between(known.indexOf(node.__at) + by, 0, known.length - 1)], true)
      }
    },
  },
  arrows: {
    build(node) { node.append(head(), make('p', 'hint'), make('div', 'pulls'), make('output')) },
    paint(node, block, values, screen) {
      titled(node, block, screen)
      const output = node.querySelector('output'), n = block.labels.length
      const usual = 'An arrow up: a step of descent lowers this logit; down: raises it.'
      const told = k => `${block.labels[k]}: ${block.series.map(row => `${row.name} ${row.texts[k]}`).join('; ')}`
      const pulls = matched(node.querySelector('.pulls'), block.series.length, () => part('div', 'pull', part('p', '', make('b'), make('span')), make('canvas')))
      block.series.forEach((row, i) => {
        const [words, canvas] = pulls[i].children, ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight
        set(words.firstChild, row.name); set(words.lastChild, [`norm ${row.norm}`, row.note, row.scale].filter(Boolean).join(' · '))
        label(canvas, `${row.name}: ${block.labels.map((each, k) => `${each} ${row.texts[k]}`).join(', ')}`)
        const find = event => { const k = Math.floor(event.offsetX / canvas.clientWidth * n); return k >= 0 && k < n ? k : null }
        canvas.onpointermove = event => { node.__over = find(event); set(output, node.__over === null ? usual : told(node.__over)) }
        canvas.onpointerleave = () => { node.__over = null; set(output, block.chosen === null ? usual : told(block.chosen)) }
        canvas.onclick = event => { const k = find(event); if (block.name && k !== null) screen.tell(block.name, k, true) }
        canvas.style.cursor = block.name ? 'pointer' : ''
        const drawn = [row.shares, row.texts, block.labels, block.chosen, width, ratio, screen.dark].join(';')
        if (!width || canvas.__drawn === drawn) return
        canvas.__drawn = drawn
        const c = prepare(canvas, ratio), style = getComputedStyle(canvas), wide = width / n, low = 18, middle = (height - low) / 2, room = middle - 16
        c.font = `12px ${style.fontFamily}`; c.textAlign = 'center'
        if (block.chosen !== null) { c.fillStyle = style.getPropertyValue('--st-secondary-background-color'); c.fillRect(block.chosen * wide, 0, wide, height) }
        c.strokeStyle = c.fillStyle = style.color; c.globalAlpha = .5; c.lineWidth = 1
        c.beginPath(); c.moveTo(0, middle); c.lineTo(width, middle); c.stroke(); c.globalAlpha = 1
        const longest = Math.max(...block.labels.map(each => c.measureText(each).width)), every = Math.max(1, Math.ceil((longest + 4) / wide))
        const written = Math.max(...row.texts.map(each => c.measureText(each).width)) + 4 <= wide
        row.shares.forEach((share, k) => {
          const x = (k + .5) * wide, y = middle - share * room, up = share >= 0
          c.textBaseline = 'bottom'; c.fillStyle = style.color
          if (k % every === 0) c.fillText(block.labels[k], x, height - 1)
          if (written) { c.textBaseline = up ? 'bottom' : 'top'; c.fillText(row.texts[k], x, y + (up ? -2 : 2)) }
          c.strokeStyle = c.fillStyle = LINES[screen.dark][up ? 1 : 0]
          const long = Math.abs(y - middle), tip = Math.min(7, long), half = Math.min(5, wide / 3) * tip / 7
          if (long < 1) { c.beginPath(); c.arc(x, middle, 2, 0, 7); c.fill(); return }
          c.lineWidth = Math.min(3, wide / 4); c.beginPath(); c.moveTo(x, middle); c.lineTo(x, y + (up ? tip : -tip)); c.stroke()
          c.beginPath(); c.moveTo(x, y); c.lineTo(x - half, y + (up ? tip : -tip)); c.lineTo(x + half, y + (up ? tip : -tip)); c.fill()
        })
      })
      if (node.__over == null || node.__over >= n) set(output, block.chosen === null ? usual : told(block.chosen)); else set(output, told(node.__over))
    },
  },
  entropy: {
    build(node) { coursed(node) },
    paint(node, block, values, screen) { course(node, block, values, screen, { heat: at => at, at: heat => heat }) },
  },
  draws: {
    build(node) { node.append(head(make('em')), make('p', 'hint'), make('div', 'counts'), make('output')) },
    paint(node, block, values, screen) {
      titled(node, block, screen)
      const em = node.querySelector('em'), html = `<span><i></i>drawn</span><span><i class="theory"></i>expected ± 2σ</span>${block.outlined ? '<span><i class="full"></i>expected before the cut</span>' : ''}`
      if (em.__html !== html) em.innerHTML = em.__html = html
      const box = node.querySelector('.counts'), rows = matched(box, block.bars.length + 1, () => box.children.length ? part('div', 'count', make('span', 'name'), part('u', '', make('i'), make('s'), make('em'), make('b')), make('span', 'told'), make('span', 'told')) : part('div', 'count heads', make('span'), make('span', 'ends'), make('span', 'told', 'drawn'), make('span', 'told', 'expected ± σ')))
      set(rows[0].children[1], `0 to ${block.end}`)
      label(box, block.alt)
      block.bars.forEach((row, k) => {
        const line = rows[k + 1], [name, track, count, theory] = line.children, [bar, full, reach, mean] = track.children
        set(name, row.label); set(count, row.count); set(theory, row.theory)
        stretch(bar, row.share)
        full.hidden = row.before === null
        if (row.before !== null) full.style.width = `${(100 * row.before).toFixed(2)}%`
        reach.style.left = `${(100 * row.low).toFixed(2)}%`; reach.style.width = `${(100 * (row.high - row.low)).toFixed(2)}%`
        mean.style.left = `${(100 * row.mean).toFixed(2)}%`
        toggle(line, 'far', row.far); toggle(line, 'cut', row.cut)
        if (row.far) line.title = 'further than two standard deviations: by chance alone about one of 22 is'; else line.removeAttribute('title')
      })
      set(node.querySelector('output'), block.under)
    },
  },
})

// A curve over T or 1/T, with marks, a tangent, and a point that is dragged.
function coursed(node) {
  const canvas = make('canvas')
  node.append(head(make('em')), make('p', 'hint'), canvas, make('output'))
}

function course(node, block, values, screen, { heat, at }) {
  titled(node, block, screen)
  node.__screen = screen
  const canvas = node.querySelector('canvas'), output = node.querySelector('output'), ratio = devicePixelRatio || 1, n = block.points, count = block.names.length
  const em = node.querySelector('em'), html = count > 1 ? block.names.map((name, k) => `<span><i class="run k${k}"></i>${escape(name)}</span>`).join('') : ''
  if (em.__html !== html) em.innerHTML = em.__html = html
  const all = values.subarray(block.offset, block.offset + (1 + count) * n), xs = all.subarray(0, n), width = canvas.clientWidth, height = canvas.clientHeight
  const rows = block.names.map((_, k) => all.subarray((1 + k) * n, (2 + k) * n)), scaled = block.log ? Math.log : v => v
  const left = 50, right = block.right.length ? 48 : 14, bottom = 42, top = 10, [first, last] = [scaled(block.first), scaled(block.last)]
  const x = v => left + (scaled(v) - first) / (last - first) * (width - left - right)
  const y = v => top + (1 - (v - block.low) / (block.high - block.low)) * (height - top - bottom)
  const back = px => { const v = between(first + (px - left) / (width - left - right) * (last - first), first, last); return block.log ? Math.exp(v) : v }
  const nearest = place => { let best = 0; xs.forEach((v, i) => { if (Math.abs(scaled(v) - scaled(place)) < Math.abs(scaled(xs[best]) - scaled(place))) best = i }); return best }
  if (canvas.ariaLabel !== block.alt) { canvas.ariaLabel = block.alt; canvas.role = block.name ? 'application' : 'img' }
  canvas.tabIndex = block.name ? 0 : -1
  canvas.style.cursor = block.name ? 'ew-resize' : 'crosshair'; canvas.style.touchAction = block.name ? 'pan-y' : ''
  if (!node.__over) set(output, block.under)
  // The round temperatures that stand nearest to a place of the axis.
  const ends = block.log ? [block.first, block.last] : [1 / block.last, block.first > 0 ? 1 / block.first : 100]
  const stops = warmths(ends[0], ends[1], [1])
  const choose = (px, lastly) => {
    const place = back(px), found = closest(stops, each => Math.abs(scaled(at(each)) - scaled(place)))
    const warm = !block.log && place <= at(ends[1]) / 2 ? Infinity : found
    if (warm !== node.__heat || lastly) { node.__heat = warm; node.__screen.tell(block.name, toldAs(warm), lastly) }
  }
  canvas.onpointerdown = event => { if (!block.name || event.button) return; canvas.setPointerCapture(event.pointerId); node.__dragged = true; node.__heat = null; choose(event.offsetX, false) }
  canvas.onpointerup = canvas.onpointercancel = () => { if (node.__dragged) { node.__dragged = false; node.__screen.tell(null, null, true) } }
  canvas.onpointermove = event => {
    if (node.__dragged) { node.__over = false; choose(event.offsetX, false); return }  // what is told of T stands below
    const best = nearest(back(event.offsetX))
    node.__over = true
    set(output, `${block.unit} = ${number(xs[best])}: ${rows.map((row, k) => `${block.names[k]} ${number(row[best])}`).join(', ')} ${block.sides[0]}`)
  }
  canvas.onpointerleave = () => { node.__over = false; set(output, block.under) }
  canvas.onkeydown = event => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key], here = block.marks.find(mark => mark[3])
    if (!by || !block.name) return
    event.preventDefault(); event.stopPropagation()
    const now = here ? heat(here[0]) : 1
    node.__screen.tell(block.name, (by > 0) === block.log ? above(stops, now) : below(stops, now), false)
  }
  canvas.onkeyup = event => { if (block.name && event.key.startsWith('Arrow')) node.__screen.tell(null, null, true) }
  const drawn = [all.join(), JSON.stringify([block.marks, block.slope, block.ticks, block.low, block.high, block.dashed]), html, width, ratio, screen.dark].join(';')
  if (!width || canvas.__drawn === drawn) return
  canvas.__drawn = drawn
  const c = prepare(canvas, ratio), style = getComputedStyle(canvas)
  c.font = `13px ${style.fontFamily}`; c.fillStyle = style.color; c.lineWidth = 1; c.strokeStyle = style.getPropertyValue('--st-border-color')
  c.textAlign = 'right'; c.textBaseline = 'middle'
  const across = value => { c.beginPath(); c.moveTo(left, y(value)); c.lineTo(width - right, y(value)); c.stroke() }
  for (const [value, words] of block.ticks) { c.fillText(words, left - 6, y(value)); across(value) }
  c.textAlign = 'left'
  let low = Infinity
  for (const [value, words] of block.right) if (low - y(value) > 14) { low = y(value); c.fillText(words, width - right + 6, low) }
  c.strokeRect(left, top, width - left - right, height - top - bottom)
  c.textBaseline = 'top'; c.textAlign = 'center'
  let until = -Infinity
  for (const [value, words] of block.stops) {
    const half = c.measureText(words).width / 2 + 3
    if (x(value) - half > until) { c.fillText(words, x(value), height - bottom + 5); until = x(value) + half }
    c.beginPath(); c.moveTo(x(value), top); c.lineTo(x(value), height - bottom); c.stroke()
  }
  c.textBaseline = 'bottom'; c.fillText(block.axis, (left + width - right) / 2, height - 1)
  c.textAlign = 'left'; c.fillText(block.sides[0], 2, height - 1)
  c.textAlign = 'right'; c.fillText(block.sides[1], width - 1, height - 1)
  c.strokeStyle = style.color; c.setLineDash([5, 4])
  for (const [value, words] of block.dashed) { across(value); c.textAlign = 'left'; c.textBaseline = 'top'; c.fillText(words, left + 6, y(value) + 3) }
  c.setLineDash([])
  c.save(); c.beginPath(); c.rect(left, top, width - left - right, height - top - bottom); c.clip()
  rows.forEach((row, k) => {
    c.strokeStyle = RUNS[screen.dark][k % RUNS[screen.dark].length]; c.lineWidth = 2.5; c.beginPath()
    row.forEach((v, i) => { if (Number.isFinite(v)) c.lineTo(x(xs[i]), y(v)) })
    c.stroke()
  })
  const now = block.marks.find(mark => mark[3])
  if (now && block.slope !== null) {
    const from = scaled(now[0]), line = u => [left + (u - first) / (last - first) * (width - left - right), y(now[1] + block.slope * (u - from))]
    c.strokeStyle = LINES[screen.dark][1]; c.lineWidth = 2; c.beginPath(); c.moveTo(...line(first)); c.lineTo(...line(last)); c.stroke()
  }
  c.restore()
  const taken = []
  for (const [place, value, words, mine] of [...block.marks].sort((a, b) => b[3] - a[3])) {  // the present one has its words first
    const px = x(place), py = y(value), room = c.measureText(words).width
    c.strokeStyle = c.fillStyle = mine ? LINES[screen.dark][1] : style.color
    c.lineWidth = mine ? 2 : 1.2; c.setLineDash(mine ? [] : [3, 3]); c.beginPath(); c.moveTo(px, top); c.lineTo(px, height - bottom); c.stroke(); c.setLineDash([])
    c.beginPath(); c.arc(px, py, mine ? 6 : 4, 0, 7); c.fill()
    const from = px + 8 + room > width - right ? px - 8 - room : px + 8
    let line = block.log ? height - bottom - 6 : top + 18
    while (taken.some(([a, b, at]) => from < b && from + room > a && Math.abs(line - at) < 15)) line += block.log ? -16 : 16
    taken.push([from - 6, from + room + 6, line])
    c.globalAlpha = .85; c.fillStyle = style.getPropertyValue('--st-background-color'); c.fillRect(from - 2, line - 14, room + 4, 16)
    c.globalAlpha = 1; c.fillStyle = style.color; c.textAlign = 'left'; c.textBaseline = 'bottom'; c.fillText(words, from, line + 1)
  }
}
