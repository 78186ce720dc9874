// Blocks that look inside a network: its layers, all maps of one, one value and the sums behind it.
const tint = (share, dark) => {
  const paper = dark ? 24 : 247, size = Math.min(1, Math.abs(share) || 0), to = share < 0 ? BLUE : ORANGE
  return [0, 1, 2].map(k => paper + (to[k] - paper) * size)
}
const rgb = (share, dark) => `rgb(${tint(share, dark).map(Math.round).join()})`
const number = value => {
  if (!Number.isFinite(value)) return '–'
  const text = value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1) : Math.abs(value) >= 1000 ? value.toFixed(0) : Number(value.toPrecision(4)).toString()
  return text.replace('-', '−')
}

// An offscreen canvas with one map in it, a pixel for a value.
function field(values, offset, w, h, high, dark) {
  const canvas = Object.assign(make('canvas'), { width: w, height: h }), context = canvas.getContext('2d')
  const image = context.createImageData(w, h)
  for (let k = 0; k < w * h; k++) {
    const colour = tint(high ? values[offset + k] / high : 0, dark)
    image.data.set([...colour, 255], 4 * k)
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
      right.querySelectorAll('.bar').forEach((row, k) => {
        const [name, share] = block.rows[k] ?? ['', null]
        row.style.visibility = share === null ? 'hidden' : ''
        row.classList.toggle('best', !k)
        set(row.firstChild, name); row.firstChild.title = name
        row.querySelector('i').style.width = `${(100 * (share ?? 0)).toFixed(1)}%`
        set(row.lastChild, `${(100 * (share ?? 0)).toFixed(1)} %`)
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
        c.drawImage(field(values, block.offset + k * w * h, w, h, block.highs[k], screen.dark), x, y, w * scale, h * scale)
        if (dead.has(channel) && w * scale > 7) {
          c.strokeStyle = style.color; c.globalAlpha = .45; c.lineWidth = 1
          c.beginPath(); c.moveTo(x, y); c.lineTo(x + w * scale, y + h * scale); c.moveTo(x + w * scale, y); c.lineTo(x, y + h * scale); c.stroke(); c.globalAlpha = 1
        }
      })
      const at = block.order.indexOf(block.chosen)
      if (at >= 0) { const [x, y] = place(at); c.strokeStyle = style.color; c.lineWidth = 2.5; c.strokeRect(x - 1, y - 1, w * scale + 2, h * scale + 2) }
      const find = event => {
        const column = Math.floor(event.offsetX / (w * scale + gap)), row = Math.floor(event.offsetY / (h * scale + gap)), k = row * columns + column
        const x = Math.floor((event.offsetX - column * (w * scale + gap)) / scale), y = Math.floor((event.offsetY - row * (h * scale + gap)) / scale)
        return column < columns && k < n && x >= 0 && y >= 0 && x < w && y < h ? [k, y, x] : null
      }
      const told = ([k, y, x]) => `map ${block.order[k]}, row ${y * block.step}, column ${x * block.step}: ${number(values[block.offset + (k * h + y) * w + x])}${dead.has(block.order[k]) ? ', dead here' : ''}`
      const usual = block.said
      if (!canvas.__hovered) set(output, usual)
      canvas.onpointermove = event => { canvas.__hovered = true; const found = find(event); set(output, found ? told(found) : usual) }
      canvas.onpointerleave = () => { canvas.__hovered = false; set(output, usual) }
      canvas.onclick = event => { const found = find(event); if (found) screen.tell('place', [block.order[found[0]], found[1] * block.step, found[2] * block.step], true) }
    },
  },
  close: {
    build(node) { node.innerHTML = '<h4><span></span></h4><canvas></canvas><div class="scale"><span></span><i></i><span></span></div><output></output><h4><span></span></h4><canvas></canvas>' },
    paint(node, block, values, screen) {
      const [first, second] = node.querySelectorAll('canvas'), [title, below] = node.querySelectorAll('h4 span'), { h, w } = block, ratio = devicePixelRatio || 1
      set(title, block.title); set(below, block.sees)
      label(first, block.title); label(second, block.sees)
      const [low, high] = node.querySelectorAll('.scale span')
      set(low, number(-block.high)); set(high, number(block.high))
      node.querySelector('.scale i').style.background = `linear-gradient(90deg, ${[-1, -.5, 0, .5, 1].map(v => rgb(v, screen.dark)).join()})`
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
      const usual = `row ${y}, column ${x}: ${number(values[block.offset + y * w + x])}`
      if (!first.__hovered) set(output, usual)
      first.onpointermove = event => { first.__hovered = true; const [r, k] = find(event); set(output, r < h && k < w ? `row ${r}, column ${k}: ${number(values[block.offset + r * w + k])}` : usual) }
      first.onpointerleave = () => { first.__hovered = false; set(output, usual) }
      first.onclick = event => { const [r, k] = find(event); if (r < h && k < w) screen.tell('place', [block.channel, r, k], true) }
      fit(second, picture(values, block.offset + w * h, block.shape, block.look, screen.dark), block.shape[2], block.shape[1], block.field)
    },
  },
  products: {
    build(node) { node.innerHTML = '<h4><span></span></h4><p class="line"></p><p class="line own"></p><div class="sums"></div><div class="three"></div>' },
    paint(node, block, values, screen) {
      const [k, h, w] = block.size, n = k * h * w, at = block.offset
      set(node.querySelector('h4 span'), block.title)
      const [formula, own] = node.querySelectorAll('.line')
      set(formula, block.formula); set(own, block.own); own.classList.toggle('warn', block.differs)
      const window = values.subarray(at, at + n), kernel = block.weighted ? values.subarray(at + n, at + 2 * n) : null
      const sums = values.subarray(at + n * (kernel ? 2 : 1), at + n * (kernel ? 2 : 1) + k)
      const order = [...sums.keys()].sort((a, b) => Math.abs(sums[b]) - Math.abs(sums[a])).slice(0, 40)
      if (node.__of !== block.form) { node.__of = block.form; node.__into = null }
      const into = node.__into !== null && node.__into < k ? node.__into : order[0]
      const most = Math.max(1e-30, ...order.map(i => Math.abs(sums[i]))), bars = node.querySelector('.sums')
      bars.hidden = k < 2
      if (k > 1) {
        while (bars.children.length > order.length) bars.lastChild.remove()
        while (bars.children.length < order.length) { const b = make('button'); b.append(make('i'), make('span')); bars.append(b) }
        order.forEach((i, place) => {
          const button = bars.children[place], share = sums[i] / most
          button.firstChild.style.cssText = `height:${(45 * Math.abs(share)).toFixed(0)}%;background:${rgb(Math.sign(share), screen.dark)};${share < 0 ? 'top:50%' : 'bottom:50%'}`
          set(button.lastChild, String(block.channels[i])); button.title = `${block.input} ${block.channels[i]}: ${number(sums[i])}`
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
      const input = part(window), parts = [grid(`${block.input} ${block.channels[into]}`, i => input[i], largest(window))]
      if (kernel) {
        const weights = part(kernel), products = input.map((v, i) => v * weights[i])
        parts.push(make('b', 'sign', '×'), grid('weights (click one)', i => weights[i], largest(kernel), (y, x) => screen.tell('weight', [block.channels[into] - block.first, y, x], true)))
        parts.push(make('b', 'sign', '='), grid(`products, sum ${number(sums[into])}`, i => products[i], largest(products)))
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
      three.replaceChildren(figure('δ = ∂L/∂output', delta), make('b', 'sign', '×'), figure('x, the input there', taken), make('b', 'sign', '='), figure(`products, sum ${number(block.sum)}`, products))
    },
  },
})
