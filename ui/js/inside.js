// Blocks that look inside a network: its layers, all maps of one, one value and the sums behind it.
const tint = (share, dark) => {
  const paper = dark ? 24 : 247, size = Math.min(1, Math.abs(share) || 0), to = share < 0 ? BLUE : ORANGE
  return [0, 1, 2].map(k => paper + (to[k] - paper) * size)
}
const rgb = (share, dark) => `rgb(${tint(share, dark).map(Math.round).join()})`
const number = value => {
  if (!Number.isFinite(value)) return '–'
  const text = value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1) : Math.abs(value) >= 1000 ? value.toFixed(0) : Number(value.toPrecision(4)).toString()
  return text.replaceAll('-', '−')
}

// A sign and what stands behind it, which no line's end parts.
const term = (sign, node) => { const box = make('div', 'term'); box.append(make('b', 'sign', sign), node); return box }

// The colours of shares from −1 to 1, each as a pixel of an image.
const tables = {}
const shades = dark => tables[dark] ??= Uint32Array.from({ length: 1025 }, (_, k) => {
  const [r, g, b] = tint(k / 512 - 1, dark).map(Math.round)
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0
})

// An offscreen canvas with one map in it, a pixel for a value.
function field(values, offset, w, h, high, dark) {
  const canvas = Object.assign(make('canvas'), { width: w, height: h }), context = canvas.getContext('2d')
  const image = context.createImageData(w, h), pixels = new Uint32Array(image.data.buffer), table = shades(dark)
  for (let k = 0; k < w * h; k++) {
    const share = high ? values[offset + k] / high : 0
    pixels[k] = table[Math.round(512 + 512 * Math.max(-1, Math.min(1, share || 0)))]
  }
  context.putImageData(image, 0, 0)
  return canvas
}

function picture(values, offset, [c, h, w], look, dark) {
  const canvas = Object.assign(make('canvas'), { width: w, height: h })
  paintPixels(canvas, { c, h, w, columns: 1, offset, high: 1, look }, values, dark)
  return canvas
}

// The widest tiles of w to h, so many, that fit into a room; they stand in so many columns.
function tiling(count, w, h, width, height, gap) {
  let best = { columns: 1, scale: 0 }
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns)
    const scale = Math.min((width - gap * (columns - 1)) / columns / w, (height - gap * (rows - 1)) / rows / h)
    if (scale > best.scale) best = { columns, scale }
  }
  return best
}

function arrows(node, block, screen) {
  node.onkeydown = event => {
    const [name, step] = { ArrowLeft: ['channel', -1], ArrowRight: ['channel', 1], ArrowUp: ['layer', -1], ArrowDown: ['layer', 1] }[event.key] ?? []
    if (!name) return
    event.preventDefault()
    screen.tell(name, { by: step }, true)
  }
}

Object.assign(kinds, {
  answers: {
    build(node) {
      node.innerHTML = '<figure><h4></h4><canvas></canvas><p class="hint"></p></figure><div><h4></h4><div class="rows"></div><p class="hint"></p></div>'
      for (let k = 0; k < 5; k++) {
        const row = make('div', 'bar'), bar = make('span')
        bar.append(make('i')); row.append(make('span'), bar, make('span')); node.querySelector('.rows').append(row)
      }
    },
    paint(node, block, values, screen) {
      const [left, right] = node.children, canvas = left.querySelector('canvas'), [c, h, w] = block.shape
      if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h }
      paintPixels(canvas, { c, h, w, columns: 1, offset: block.offset, high: 1, look: block.look }, values, screen.dark)
      canvas.classList.toggle('pixels', w < 100)
      label(canvas, block.alt)
      set(left.querySelector('h4'), block.title); set(left.querySelector('p'), block.form)
      set(right.querySelector('h4'), block.reads); set(right.querySelector('p'), block.note)
      right.querySelector('p').classList.toggle('warn', block.warn)
      right.style.setProperty('--name', `${Math.min(11, 1 + .6 * Math.max(0, ...block.rows.map(([name]) => name.length)))}rem`)
      right.querySelectorAll('.bar').forEach((row, k) => {
        const [name, share] = block.rows[k] ?? ['', null]
        row.style.visibility = share === null ? 'hidden' : ''
        row.classList.toggle('best', !k)
        set(row.firstChild, name); row.firstChild.title = name
        row.querySelector('i').style.width = `${(100 * (share ?? 0)).toFixed(1)}%`
        set(row.lastChild, share > 0 && share < .0005 ? '< 0.1 %' : `${(100 * (share ?? 0)).toFixed(1)} %`)
      })
    },
  },
  pairs: {
    build(node, block) {
      node.append(head(make('em')), make('p', 'hint'))
      for (const _ of block.rows) {
        const row = make('div', 'bar'), both = make('span')
        both.append(make('i'), make('i')); row.append(make('span'), both, make('span')); node.append(row)
      }
    },
    paint(node, block) {
      const em = node.querySelector('em'), html = block.names.map((name, k) => `<span><i class="run k${k}"></i>${escape(name)}</span>`).join('')
      set(node.querySelector('h4 span'), block.title); set(node.querySelector('.hint'), block.hint)
      if (em.__html !== html) em.innerHTML = em.__html = html
      const said = share => share === null ? '–' : (100 * share).toFixed(1)
      node.style.setProperty('--name', `${Math.min(9, 1 + .6 * Math.max(...block.rows.map(([name]) => name.length)))}rem`)
      node.classList.toggle('wordy', block.rows.some(([name]) => name.length > 6))  // a bar has a line of its own
      node.querySelectorAll('.bar').forEach((row, k) => {
        const [name, ...shares] = block.rows[k]
        set(row.firstChild, name); row.firstChild.title = name
        shares.forEach((share, i) => { row.querySelectorAll('i')[i].style.width = `${(100 * (share ?? 0)).toFixed(1)}%` })
        set(row.lastChild, `${shares.map(said).join(' → ')} %`)
      })
    },
  },
  choices: {
    build(node, block) {
      for (const row of block.rows) {
        const group = make('div', 'choice'); group.role = 'radiogroup'; group.ariaLabel = row.label
        group.append(make('span', '', row.label))
        for (const [value, words] of row.values) { const button = make('button', '', words); button.role = 'radio'; button.value = value; group.append(button) }
        node.append(group)
      }
    },
    paint(node, block, _, screen) {
      const said = JSON.stringify(block.rows.map(row => [row.label, row.values]))
      if (node.__said && node.__said !== said) { node.replaceChildren(); kinds.choices.build(node, block) }
      node.__said = said
      block.rows.forEach((row, k) => node.children[k].querySelectorAll('button').forEach(button => {
        button.ariaChecked = String(button.value === row.chosen)
        button.onclick = () => screen.tell(row.name, button.value, true)
      }))
    },
  },
  strip: {
    build(node, block) {
      node.append(head(make('output')), make('div', 'groups'))
      for (const group of block.groups) {
        const box = make('div', 'group'), row = make('div', 'chips')
        box.append(make('b', '', group.name), row)
        for (const [name, kind, shape] of group.layers) {
          const button = make('button'); button.value = name
          button.append(make('span', '', kind), make('small', '', shape)); row.append(button)
        }
        node.lastChild.append(box)
      }
    },
    paint(node, block, _, screen) {
      set(node.querySelector('h4 span'), block.title)
      const groups = node.lastChild
      groups.querySelectorAll('button').forEach(button => {
        const chosen = button.value === block.chosen
        button.ariaPressed = String(chosen)
        button.tabIndex = chosen ? 0 : -1
        if (chosen && groups.matches(':focus-within')) button.focus({ preventScroll: true })
        button.onclick = () => screen.tell('layer', button.value, true)
        if (chosen && groups.__chosen !== block.chosen) {
          groups.__chosen = block.chosen
          const left = button.offsetLeft - groups.offsetLeft
          if (left < groups.scrollLeft || left + button.offsetWidth > groups.scrollLeft + groups.clientWidth) groups.scrollLeft = left - groups.clientWidth / 3
        }
      })
      arrows(groups, block, screen)
    },
  },
  atlas: {
    build(node) { node.append(head(), make('p', 'hint'), make('canvas'), make('output')); node.children[2].tabIndex = 0 },
    paint(node, block, values, screen) {
      const canvas = node.querySelector('canvas'), output = node.querySelector('output'), { n, h, w } = block
      set(node.querySelector('h4 span'), block.title); set(node.querySelector('.hint'), block.hint)
      label(canvas, block.alt); canvas.role = 'application'
      arrows(canvas, block, screen)
      const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight
      if (!width) return
      const gap = n > 400 ? 1 : 3, { columns, scale } = tiling(n, w, h, width, height, gap)
      const c = prepare(canvas, ratio), dead = new Set(block.dead), style = getComputedStyle(canvas)
      c.imageSmoothingEnabled = false
      const place = k => [(k % columns) * (w * scale + gap), Math.floor(k / columns) * (h * scale + gap)]
      block.order.forEach((channel, k) => {
        const [x, y] = place(k)
        if (w * h === 1) { c.fillStyle = rgb(values[block.offset + k] / block.highs[k], screen.dark); c.fillRect(x, y, scale, scale); return }
        c.drawImage(field(values, block.offset + k * w * h, w, h, block.highs[k], screen.dark), x, y, w * scale, h * scale)
        if (dead.has(channel) && w * scale > 7) {
          c.strokeStyle = style.color; c.globalAlpha = .45; c.lineWidth = 1
          c.beginPath(); c.moveTo(x, y); c.lineTo(x + w * scale, y + h * scale); c.moveTo(x + w * scale, y); c.lineTo(x, y + h * scale); c.stroke(); c.globalAlpha = 1
        }
      })
      const at = block.order.indexOf(block.chosen)
      if (at >= 0) { const [x, y] = place(at); c.strokeStyle = style.color; c.lineWidth = 2.5; c.strokeRect(x + 1.25, y + 1.25, w * scale - 2.5, h * scale - 2.5) }
      const find = event => {
        const column = Math.floor(event.offsetX / (w * scale + gap)), row = Math.floor(event.offsetY / (h * scale + gap)), k = row * columns + column
        const x = Math.floor((event.offsetX - column * (w * scale + gap)) / scale), y = Math.floor((event.offsetY - row * (h * scale + gap)) / scale)
        return column < columns && k < n && x >= 0 && y >= 0 && x < w && y < h ? [k, y, x] : null
      }
      const where = (y, x) => h * w > 1 ? `, row ${y * block.step}, column ${x * block.step}` : ''
      const told = ([k, y, x]) => `${block.names[k] ?? `${h * w > 1 ? 'map' : 'value'} ${block.order[k]}`}${where(y, x)}: ${number(values[block.offset + (k * h + y) * w + x])}${dead.has(block.order[k]) ? ', dead here' : ''}`
      const usual = block.said
      if (!canvas.__hovered) set(output, usual)
      canvas.onpointermove = event => { canvas.__hovered = true; const found = find(event); set(output, found ? told(found) : usual) }
      canvas.onpointerleave = () => { canvas.__hovered = false; set(output, usual) }
      canvas.onclick = event => { const found = find(event); if (found) screen.tell('place', [block.order[found[0]], found[1] * block.step, found[2] * block.step], true) }
    },
  },
  close: {
    build(node) { node.innerHTML = '<div><h4><span></span></h4><canvas></canvas><div class="scale"><span></span><i></i><span></span></div><output></output></div><div><h4><span></span></h4><canvas></canvas></div>' },
    paint(node, block, values, screen) {
      node.classList.toggle('beside', block.beside)
      const [first, second] = node.querySelectorAll('canvas'), [title, below] = node.querySelectorAll('h4 span'), { h, w } = block, ratio = devicePixelRatio || 1
      set(title, block.title); set(below, block.sees)
      label(first, block.title); label(second, block.sees)
      const [low, high] = node.querySelectorAll('.scale span')
      set(low, number(block.signed ? -block.high : 0)); set(high, number(block.high))
      node.querySelector('.scale i').style.background = `linear-gradient(90deg, ${(block.signed ? [-1, -.5, 0, .5, 1] : [0, .5, 1]).map(v => rgb(v, screen.dark)).join()})`
      const fit = (canvas, image, wide, tall, mark) => {
        const width = canvas.clientWidth, height = canvas.clientHeight
        if (!width) return null
        const c = prepare(canvas, ratio), scale = Math.min(width / wide, height / tall)
        c.imageSmoothingEnabled = false
        c.drawImage(image, 0, 0, wide * scale, tall * scale)
        c.strokeStyle = screen.dark ? '#fff' : '#000'; c.lineWidth = 2.5
        if (mark) { c.strokeRect(mark[1] * scale, mark[0] * scale, Math.max(3, (mark[3] - mark[1]) * scale), Math.max(3, (mark[2] - mark[0]) * scale)); c.strokeStyle = screen.dark ? '#000' : '#fff'; c.lineWidth = 1; c.strokeRect(mark[1] * scale, mark[0] * scale, Math.max(3, (mark[3] - mark[1]) * scale), Math.max(3, (mark[2] - mark[0]) * scale)) }
        return scale
      }
      const [y, x] = block.at, output = node.querySelector('output')
      const scale = fit(first, field(values, block.offset, w, h, block.high, screen.dark), w, h, [y, x, y + 1, x + 1])
      const find = event => [event.offsetY, event.offsetX].map(v => Math.floor(v / scale))
      const at = (r, k) => `${h * w > 1 ? `row ${r}, column ${k}: ` : ''}${number(values[block.offset + r * w + k])}`, usual = at(y, x)
      if (!first.__hovered) set(output, usual)
      first.onpointermove = event => { first.__hovered = true; const [r, k] = find(event); set(output, r < h && k < w ? at(r, k) : usual) }
      first.onpointerleave = () => { first.__hovered = false; set(output, usual) }
      first.style.cursor = block.beside ? 'default' : ''
      first.onclick = block.beside ? null : event => { const [r, k] = find(event); if (r < h && k < w) screen.tell('place', [block.channel, r, k], true) }
      fit(second, picture(values, block.offset + w * h, block.shape, block.look, screen.dark), block.shape[2], block.shape[1], block.field)
    },
  },
  products: {
    build(node) { node.innerHTML = '<h4><span></span></h4><p class="line"></p><p class="line own"></p><div class="sums"></div><p class="hint rest"></p><div class="three"></div>' },
    paint(node, block, values, screen) {
      const [k, h, w] = block.size, n = k * h * w, at = block.offset
      set(node.querySelector('h4 span'), block.title)
      const [formula, own] = node.querySelectorAll('.line')
      set(formula, block.formula); set(own, block.own); own.classList.toggle('warn', block.differs)
      const window = values.subarray(at, at + n), kernel = block.weighted ? values.subarray(at + n, at + 2 * n) : null
      const sums = values.subarray(at + n * (kernel ? 2 : 1), at + n * (kernel ? 2 : 1) + k)
      const order = [...sums.keys()].sort((a, b) => Math.abs(sums[b]) - Math.abs(sums[a])).slice(0, 40)
      const name = i => block.parts[i] ?? [String(block.channels[i]), `${block.input} ${block.channels[i]}`]
      if (node.__of !== block.form) { node.__of = block.form; node.__into = null }
      const into = node.__into !== null && node.__into < k ? node.__into : block.into ?? order[0]
      const most = Math.max(1e-30, ...order.map(i => Math.abs(sums[i]))), bars = node.querySelector('.sums')
      bars.hidden = k < 2
      const left = k - order.length, rest = left ? sums.reduce((a, b) => a + b, 0) - order.reduce((a, i) => a + sums[i], 0) : 0
      set(node.querySelector('.rest'), left ? `The ${order.length} largest of ${k} sums; the other ${left} add up to ${number(rest)}.` : '')
      if (k > 1) {
        while (bars.children.length > order.length) bars.lastChild.remove()
        while (bars.children.length < order.length) { const b = make('button'); b.append(make('i'), make('span')); bars.append(b) }
        order.forEach((i, place) => {
          const button = bars.children[place], share = sums[i] / most
          button.firstChild.style.cssText = `height:${(38 * Math.abs(share)).toFixed(0)}%;background:${rgb(Math.sign(share), screen.dark)};${share < 0 ? 'top:40%' : 'bottom:60%'}`
          set(button.lastChild, name(i)[0]); button.title = `${name(i)[1]}: ${number(sums[i])}`
          button.ariaPressed = String(i === into); button.ariaLabel = button.title
          button.onclick = () => { node.__into = i; kinds.products.paint(node, block, values, screen) }
        })
      }
      const three = node.querySelector('.three')
      const grid = (title, take, high, click) => {
        const box = make('div'), table = make('div', 'grid')
        box.append(make('b', '', title), table)
        table.style.setProperty('--w', w)
        for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
          const value = take(y * w + x), out = !block.inside[y * w + x], cell = make(click ? 'button' : 'div', out ? 'out' : '', Number.isFinite(value) ? number(Number(value.toPrecision(3))) : '')
          const share = high ? value / high : 0
          const colour = tint(share, screen.dark), light = .299 * colour[0] + .587 * colour[1] + .114 * colour[2]
          cell.style.background = rgb(share, screen.dark); cell.style.color = light > 125 ? '#111' : '#fff'
          if (click) { cell.onclick = () => click(y, x); cell.title = 'its gradient'; cell.ariaPressed = String(block.weight === [block.channels[into] - block.first, y, x].join()) }
          table.append(cell)
        }
        return box
      }
      const part = values => values.subarray(into * h * w, (into + 1) * h * w), largest = values => Math.max(1e-30, ...Array.from(values).filter(Number.isFinite).map(Math.abs))
      const input = part(window), parts = [grid(name(into)[1], i => input[i], largest(window))]
      if (kernel) {
        const weights = part(kernel), products = input.map((v, i) => v * weights[i])
        parts.push(term('×', grid('weights (click one)', i => weights[i], largest(kernel), (y, x) => screen.tell('weight', [block.channels[into] - block.first, y, x], true))))
        parts.push(term('=', grid(`products, sum ${number(sums[into])}`, i => products[i], largest(products))))
      }
      const cells = h * w
      three.classList.toggle('small', cells > 30)
      three.replaceChildren(...(cells <= 150 ? parts : []))
    },
  },
  gradient: {
    build(node) { node.innerHTML = '<h4><span></span></h4><p class="line"></p><p class="line own"></p><p class="line"></p><div class="three"></div>' },
    paint(node, block, values, screen) {
      const { h, w } = block, n = h * w, lines = node.querySelectorAll('.line')
      set(node.querySelector('h4 span'), block.title)
      block.lines.forEach((text, k) => set(lines[k], text)); lines[1].classList.toggle('warn', block.differs)
      const delta = values.subarray(block.offset, block.offset + n), taken = values.subarray(block.offset + n, block.offset + 2 * n)
      const products = delta.map((v, i) => v * taken[i]), three = node.querySelector('.three')
      const figure = (title, of) => {
        const box = make('div', 'map'), high = Math.max(1e-30, ...of.map(Math.abs)), canvas = field(of, 0, w, h, high, screen.dark)
        canvas.className = 'pixels'; label(canvas, title)
        box.append(make('b', '', title), canvas, make('small', '', `±${number(high)}`))
        return box
      }
      three.replaceChildren(figure('δ = ∂L/∂output', delta), term('×', figure('x, the input there', taken)), term('=', figure(`products, sum ${number(block.sum)}`, products)))
    },
  },
})

// The convolution laboratory: the window goes over the picture, and each value that comes out is written out.
Object.assign(kinds, {
  convolving: {
    build(node) {
      node.innerHTML = '<div class="pair"><figure><h4></h4><canvas></canvas></figure><figure><h4></h4><canvas></canvas></figure></div><p class="controls"><button></button><input type="range" min="0"><output></output></p><div class="three"></div>'
    },
    paint(node, block, values, screen) {
      node.__block = block; node.__values = values; node.__dark = screen.dark
      const [H, W] = block.out, [h, w] = block.size, steps = block.transposed ? h * w : H * W
      const wide = block.transposed ? w : W
      const shown = values.subarray(block.transposed ? block.offset : block.offset + h * w + block.kernel[0] * block.kernel[1]).subarray(0, steps)
      node.__i = Math.min(node.__i ?? shown.reduce((best, v, i) => Math.abs(v) > Math.abs(shown[best]) ? i : best, 0), steps - 1)
      const [first, second] = node.querySelectorAll('h4'), button = node.querySelector('button'), range = node.querySelector('input')
      set(first, block.title); set(second, block.result)
      range.max = steps - 1; range.setAttribute('aria-label', 'Place of the window')
      const play = on => {
        node.__playing = on; set(button, on ? 'Pause' : 'Move the window')
        clearInterval(node.__timer)
        if (on) node.__timer = setInterval(() => { if (!node.isConnected) return clearInterval(node.__timer); node.__i = (node.__i + 1) % (Number(range.max) + 1); moved(node) }, 120)
      }
      button.onclick = () => play(!node.__playing)
      range.oninput = () => { play(false); node.__i = Number(range.value); moved(node) }
      const canvases = node.querySelectorAll('canvas'), target = canvases[block.transposed ? 0 : 1]
      canvases.forEach(canvas => { canvas.onpointermove = null })
      target.onpointermove = event => {
        if (node.__playing || !target.__scale) return
        const [y, x] = [event.offsetY, event.offsetX].map(v => Math.floor(v / target.__scale) - (block.transposed ? target.__rim : 0)), tall = block.transposed ? h : H
        if (y >= 0 && x >= 0 && y < tall && x < wide) { node.__i = y * wide + x; moved(node) }
      }
      if (node.__playing === undefined) play(false)
      moved(node)
    },
  },
  scatter: {
    build(node) { node.innerHTML = '<h4><span></span><output></output></h4><canvas></canvas><p class="legend"></p>' },
    paint(node, block, values, screen) {
      const canvas = node.querySelector('canvas'), ratio = devicePixelRatio || 1, n = block.labels.length
      set(node.querySelector('h4 span'), block.title); label(canvas, block.alt)
      const width = canvas.clientWidth, height = canvas.clientHeight
      if (!width) return
      const xs = values.subarray(block.offset, block.offset + n), ys = values.subarray(block.offset + n, block.offset + 2 * n)
      const ends = v => [Math.min(...v), Math.max(...v)], [x0, x1] = ends(xs), [y0, y1] = ends(ys)
      const at = i => [12 + (xs[i] - x0) / (x1 - x0 || 1) * (width - 24), height - 12 - (ys[i] - y0) / (y1 - y0 || 1) * (height - 24)]
      const c = prepare(canvas, ratio), style = getComputedStyle(canvas)
      c.font = `600 12px ${style.fontFamily}`; c.textAlign = 'center'; c.textBaseline = 'middle'
      const short = block.classes.every(name => name.length < 2)
      for (let i = 0; i < n; i++) {
        const [x, y] = at(i), colour = CLASSES[block.labels[i] % CLASSES.length]
        c.fillStyle = colour
        if (short) c.fillText(block.classes[block.labels[i]], x, y)
        else { c.beginPath(); c.arc(x, y, 3.5, 0, 7); c.fill() }
        if (block.wrong[i]) { c.strokeStyle = style.color; c.lineWidth = 1.2; c.beginPath(); c.arc(x, y, 8, 0, 7); c.stroke() }
      }
      if (block.chosen >= 0) { const [x, y] = at(block.chosen); c.strokeStyle = style.color; c.lineWidth = 2.5; c.strokeRect(x - 9, y - 9, 18, 18) }
      const legend = node.querySelector('.legend'), html = short ? '' : block.classes.map((name, k) => `<span><i style="background:${CLASSES[k % CLASSES.length]}"></i>${escape(name)}</span>`).join('')
      if (legend.__html !== html) legend.innerHTML = legend.__html = html
      canvas.onpointermove = event => {
        let best = -1, near = 200
        for (let i = 0; i < n; i++) { const [x, y] = at(i), far = (x - event.offsetX) ** 2 + (y - event.offsetY) ** 2; if (far < near) { near = far; best = i } }
        if (best >= 0 && best !== canvas.__best) { canvas.__best = best; screen.tell('peek', best) }
      }
    },
  },
})
const CLASSES = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#8f6bd1', '#b58900', '#56b4e9', '#7a5230', '#c2185b', '#6b7a8f', '#2e7d32', '#ef6c00', '#00838f', '#9e9d24', '#5d4037', '#ad1457', '#4527a0', '#00acc1', '#f4511e', '#7cb342']

function moved(node) {
  const { __block: block, __values: values, __dark: dark, __i: i } = node, [h, w] = block.size, [H, W] = block.out, [kh, kw] = block.kernel
  const picture = values.subarray(block.offset, block.offset + h * w), kernel = values.subarray(block.offset + h * w, block.offset + h * w + kh * kw)
  const result = values.subarray(block.offset + h * w + kh * kw, block.offset + h * w + kh * kw + H * W)
  const [left, right] = node.querySelectorAll('canvas'), ratio = devicePixelRatio || 1, { stride: s, padding: p, dilation: d } = block
  node.querySelector('input').value = i
  const wide = block.transposed ? w : W, y = Math.floor(i / wide), x = i % wide
  const draw = (canvas, tall, across, rim, image) => {
    const scale = Math.min(canvas.clientWidth / (across + 2 * rim), canvas.clientHeight / (tall + 2 * rim)), c = prepare(canvas, ratio)
    canvas.__scale = scale; canvas.__rim = rim
    c.imageSmoothingEnabled = false
    if (rim) { c.fillStyle = dark ? '#30363d' : '#e3e7ea'; c.fillRect(0, 0, (across + 2 * rim) * scale, (tall + 2 * rim) * scale) }
    c.drawImage(image, rim * scale, rim * scale, across * scale, tall * scale)
    return [c, scale]
  }
  const paper = Object.assign(make('canvas'), { width: w, height: h })
  paintPixels(paper, { c: 1, h, w, columns: 1, offset: 0, high: 1, look: block.look }, picture, dark)
  const high = Math.max(1e-30, ...(result.length > 1e5 ? [block.high] : Array.from(result, Math.abs)))
  if (!node.__drawn || node.__drawn.of !== values) node.__drawn = { of: values, image: field(result, 0, W, H, high, dark), paper }
  const box = (c, scale, top, across, colour) => {
    c.strokeStyle = colour; c.lineWidth = 2
    for (let a = 0; a < kh; a++) for (let b = 0; b < kw; b++) c.strokeRect((across + b * d) * scale + 1, (top + a * d) * scale + 1, Math.max(2, scale - 2), Math.max(2, scale - 2))
  }
  const cell = (c, scale, top, across, colour) => { c.strokeStyle = colour; c.lineWidth = 2.5; c.strokeRect(across * scale, top * scale, Math.max(3, scale), Math.max(3, scale)) }
  const mark = dark ? '#ffd166' : '#b3006b', rim = block.transposed ? 0 : p
  const [c1, s1] = draw(left, h, w, rim, node.__drawn.paper), [c2, s2] = draw(right, H, W, 0, node.__drawn.image)
  if (block.transposed) { cell(c1, s1, y, x, mark); box(c2, s2, y * s - p, x * s - p, mark) }
  else { box(c1, s1, y * s, x * s, mark); cell(c2, s2, y, x, mark) }
  const three = node.querySelector('.three'), output = node.querySelector('output')
  const grid = (title, take, high) => {
    const holder = make('div'), table = make('div', 'grid'); table.style.setProperty('--w', kw)
    for (let a = 0; a < kh; a++) for (let b = 0; b < kw; b++) {
      const value = take(a, b), cell = make('div', Number.isNaN(value) ? 'out' : '', Number.isNaN(value) ? '0' : number(Number(value.toPrecision(3)))), colour = tint(high ? (value || 0) / high : 0, dark)
      cell.style.background = `rgb(${colour.map(Math.round).join()})`; cell.style.color = .299 * colour[0] + .587 * colour[1] + .114 * colour[2] > 125 ? '#111' : '#fff'
      table.append(cell)
    }
    holder.append(make('b', '', title), table)
    return holder
  }
  three.classList.toggle('small', kh * kw > 30)
  const weight = (a, b) => kernel[a * kw + b], most = Math.max(1e-30, ...Array.from(kernel, Math.abs))
  if (block.transposed) {
    const value = picture[y * w + x]
    set(output, `row ${y}, column ${x}: ${number(value)} is spread by the kernel`)
    three.replaceChildren(grid(`the value ${number(value)}`, () => value, 1), term('×', grid('kernel', weight, most)), term('=', grid('added to the result there', (a, b) => value * weight(a, b), most)))
  } else {
    const take = (a, b) => { const r = y * s - p + a * d, k = x * s - p + b * d; return r < 0 || k < 0 || r >= h || k >= w ? NaN : picture[r * w + k] }
    set(output, `row ${y}, column ${x}: ${number(result[i])}`)
    three.replaceChildren(grid('under the window', take, 1), term('×', grid('kernel', weight, most)), term('=', grid(`products, sum ${number(result[i])}`, (a, b) => (take(a, b) || 0) * weight(a, b), most)))
  }
}
