// What a network knows and how sure it is: a reliability diagram, the likelihood over 1/T, a dark matrix, pictures with bars.
Object.assign(kinds, {
  reliability: {
    build(node) { node.append(head(make('em')), make('p', 'hint'), make('canvas'), make('output')) },
    paint(node, block, _, screen) {
      titled(node, block, screen)
      const canvas = node.querySelector('canvas'), output = node.querySelector('output'), em = node.querySelector('em')
      const html = `<b>${escape(block.error)}</b><span><i class="sure"></i>overconfident</span><span><i class="shy"></i>underconfident</span>`
      if (em.__html !== html) em.innerHTML = em.__html = html
      label(canvas, block.alt)
      const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight
      const left = 52, right = 10, top = 8, strip = 54, bottom = 40, base = height - bottom - strip - 8
      const x = v => left + v * (width - left - right), y = v => top + (1 - v) * (base - top)
      const find = event => block.bins.find(bin => event.offsetX > x(bin.low) && event.offsetX <= x(bin.high))
      canvas.onpointermove = event => { const bin = find(event); node.__over = !!bin; set(output, bin ? bin.said : block.under) }
      canvas.onpointerleave = () => { node.__over = false; set(output, block.under) }
      if (!node.__over) set(output, block.under)
      const drawn = [JSON.stringify(block.bins), block.most, width, height, ratio, screen.dark].join(';')
      if (!width || canvas.__drawn === drawn) return
      canvas.__drawn = drawn
      const c = prepare(canvas, ratio), style = getComputedStyle(canvas), [blue, orange] = LINES[screen.dark]
      c.font = `13px ${style.fontFamily}`; c.fillStyle = style.color; c.lineWidth = 1; c.strokeStyle = style.getPropertyValue('--st-border-color')
      c.textAlign = 'right'; c.textBaseline = 'middle'
      for (const v of [0, .2, .4, .6, .8, 1]) {
        c.textAlign = 'right'; c.textBaseline = 'middle'; c.fillText(v.toFixed(1), left - 6, y(v)); c.beginPath(); c.moveTo(left, y(v)); c.lineTo(width - right, y(v)); c.stroke()
        c.textAlign = 'center'; c.textBaseline = 'top'; c.fillText(v.toFixed(1), x(v), height - bottom + 5)
      }
      for (const bin of block.bins) {
        const from = x(bin.low) + 1, wide = x(bin.high) - x(bin.low) - 2, tip = y(bin.right), ideal = y(bin.sure)
        c.globalAlpha = .45; c.fillStyle = style.color; c.fillRect(from, tip, wide, y(0) - tip)
        c.globalAlpha = 1; c.fillStyle = bin.sure > bin.right ? orange : blue
        c.fillRect(from, Math.min(tip, ideal), wide, Math.max(1, Math.abs(tip - ideal)))
        c.strokeStyle = style.color; c.lineWidth = 2; c.beginPath(); c.moveTo(from, tip); c.lineTo(from + wide, tip); c.stroke()
        c.globalAlpha = .6; c.fillStyle = style.color
        const tall = Math.max(1, bin.share * strip)
        c.fillRect(from, height - bottom - tall, wide, tall); c.globalAlpha = 1
      }
      c.strokeStyle = style.color; c.lineWidth = 1.5; c.setLineDash([6, 4]); c.beginPath(); c.moveTo(x(0), y(0)); c.lineTo(x(1), y(1)); c.stroke(); c.setLineDash([])
      c.fillStyle = style.color; c.textAlign = 'center'; c.textBaseline = 'bottom'; c.fillText('confidence: largest p', (left + width - right) / 2, height - 1)
      c.textAlign = 'left'; c.textBaseline = 'top'; c.fillText('accuracy', left + 5, top + 4)
      c.fillText(`images, at most ${block.most}`, left + 5, height - bottom - strip)
      c.lineWidth = 1; c.strokeStyle = style.getPropertyValue('--st-border-color'); c.strokeRect(left, top, width - left - right, base - top); c.strokeRect(left, height - bottom - strip, width - left - right, strip)
    },
  },
  nll: {
    build(node) { coursed(node) },
    paint(node, block, values, screen) { course(node, block, values, screen, { heat: beta => 1 / beta, at: heat => 1 / heat }) },
  },
  darkness: {
    build(node) { node.append(head(make('em')), make('p', 'hint'), make('div', 'night'), make('output')) },
    paint(node, block, _, screen) {
      titled(node, block, screen)
      const k = block.columns.length, grid = node.querySelector('.night'), output = node.querySelector('output'), em = node.querySelector('em')
      const scale = `linear-gradient(90deg, ${[0, .25, .5, .75, 1].map(share => css(night(share, screen.dark))).join()})`
      const html = `<span class="scale"><u style="background:${scale}"></u>${block.scale.filter(([at]) => at >= -1e-6).map(([at, words]) => `<small style="left:${(100 * between(at, 0, 1)).toFixed(1)}%">${words}</small>`).join('')}</span>`
      if (em.__html !== html) em.innerHTML = em.__html = html
      const names = [...block.labels, '', ...block.columns].join('\n')
      if (grid.__names !== names) {
        grid.__names = names
        grid.style.setProperty('--k', k)
        const cells = [make('div', 'corner', block.corner), ...block.columns.map(each => make('div', 'name', each))]
        node.__cells = block.labels.map((each, i) => {
          cells.push(make('div', 'name', each))
          return block.columns.map((_, j) => { const masked = block.masked && i === j, cell = make(masked ? 'div' : 'button', masked ? 'masked' : '', masked ? '' : ' '); cells.push(cell); return cell })
        })
        grid.classList.toggle('long', block.masked && block.labels.some(each => each.length > 2)); grid.classList.toggle('many', k > 12); grid.classList.toggle('read', !block.masked)
        grid.replaceChildren(...cells)
        grid.role = 'group'
      }
      if (grid.ariaLabel !== block.alt) grid.ariaLabel = block.alt
      const told = (i, j) => block.table[i][j][2]
      const usual = block.chosen && block.table[block.chosen[0]]?.[block.chosen[1]] ? told(...block.chosen) : block.under
      const drawn = JSON.stringify([block.table, block.chosen, screen.dark, block.name])
      node.__told = told; node.__usual = usual
      if (!node.__over) set(output, usual)
      grid.onpointerleave = () => { node.__over = false; set(output, node.__usual) }
      if (node.__drawn === drawn) return
      node.__drawn = drawn
      node.__cells.forEach((row, i) => row.forEach((cell, j) => {
        if (!block.table[i][j]) return
        const [share, text, , best] = block.table[i][j], chosen = !!block.chosen && block.chosen[0] === i && block.chosen[1] === j
        const rgb = night(share, screen.dark), background = css(rgb)
        set(cell, text)
        if (cell.__background !== background) { cell.__background = background; cell.style.background = background; cell.style.color = legible(rgb) }
        toggle(cell, 'chosen', chosen); toggle(cell, 'best', !!best)
        cell.ariaPressed = String(chosen); cell.ariaLabel = told(i, j)
        cell.onpointerenter = cell.onfocus = () => { node.__over = true; set(output, node.__told(i, j)) }
        cell.onblur = () => { node.__over = false; set(output, node.__usual) }
        cell.onclick = () => block.name && screen.tell(block.name, chosen ? null : [i, j], true)
        cell.onkeydown = event => {
          const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? []
          if (down === undefined) return
          event.preventDefault(); event.stopPropagation()
          let [a, b] = [i + down, j + right]
          if (block.masked && a === b) { a += down; b += right }  // over the diagonal
          node.__cells[a]?.[b]?.focus()
        }
      }))
    },
  },
  get grid() { return this.darkness },
  faces: {
    build(node) { node.append(head(make('em')), make('p', 'hint'), make('div', 'cards'), make('output')) },
    paint(node, block, values, screen) {
      titled(node, block, screen)
      const [channels, h, w] = block.shape, size = channels * h * w, em = node.querySelector('em'), output = node.querySelector('output'), box = node.querySelector('.cards')
      const html = [...block.networks.map((name, k) => `<span><i class="run k${k}"></i>${escape(name)}</span>`), '<span><i class="hard"></i>label</span>', block.log ? '<span>log scale from 1e-6</span>' : ''].join('')
      if (em.__html !== html) em.innerHTML = em.__html = html
      box.style.setProperty('--columns', block.columns); box.classList.toggle('single', block.columns === 1)
      const cards = matched(box, block.cards.length, () => part('button', 'card', part('span', 'what', make('canvas', 'seen'), make('b'), make('span')), make('canvas', 'shares')))
      if (!block.cards.length) set(output, block.empty); else if (!node.__over) set(output, 'Point at a class to read its probabilities.')
      block.cards.forEach((card, k) => {
        const node_ = cards[k], [what, chart] = node_.children, [seen, title, words] = what.children
        set(title, card.title); set(words, card.words)
        const numbers = values.subarray(block.offset + k * size, block.offset + (k + 1) * size), pixels = [sum(numbers), h, w, screen.dark, block.grey].join()
        if (seen.__drawn !== pixels) {
          seen.__drawn = pixels; seen.width = w; seen.height = h
          paintPixels(seen, { c: channels, h, w, columns: 1, offset: 0, high: 1, look: channels === 3 ? 'colour' : block.grey ? 'grey' : 'ink' }, numbers, screen.dark)
        }
        const n = block.labels.length, nets = card.bars.length, tall = n > 12 ? 9 : 6 + 6 * Math.max(1, nets)
        const alt = `${card.title}: ${block.networks.map((name, i) => `${name} ${block.labels[card.best[i]]} ${card.texts[i]?.[card.best[i]]}`).join(', ')}${card.hard === null ? '' : `, label ${block.labels[card.hard]}`}`
        if (node_.ariaLabel !== alt) node_.ariaLabel = alt
        node_.disabled = !block.name
        node_.onclick = () => screen.tell(block.name, card.tells, true)
        const told = j => `${card.title}, ${block.labels[j]}${j === card.hard ? ' (the label)' : ''}: ${block.networks.map((name, i) => `${name} ${card.texts[i]?.[j] ?? '–'}`).join(', ')}`
        const find = event => Math.floor(event.offsetY / tall)
        chart.onpointermove = event => { const j = find(event); node.__over = j >= 0 && j < n; if (node.__over) set(output, told(j)) }
        chart.onpointerleave = () => { node.__over = false; set(output, 'Point at a class to read its probabilities.') }
        const style_ = `${n * tall}px`
        if (chart.style.height !== style_) chart.style.height = style_
        const width = chart.clientWidth, ratio = devicePixelRatio || 1, drawn = [JSON.stringify(card), names(block), width, ratio, screen.dark].join()
        if (!width || chart.__drawn === drawn) return
        chart.__drawn = drawn
        bars(chart, card, block.labels, tall, ratio, screen.dark)
      })
    },
  },
})

const names = block => block.labels.join('\n')

// Paper to full colour, through one hue, so that it can be read in grey too.
function night(share, dark) {
  const from = dark ? [24, 28, 36] : [247, 247, 247], middle = dark ? [24, 92, 140] : [120, 178, 216], to = dark ? [240, 228, 66] : [8, 29, 88]
  const [a, b, u] = share < .5 ? [from, middle, 2 * share] : [middle, to, 2 * share - 1]
  return a.map((each, k) => each + (b[k] - each) * u)
}

// The bars of each class of one picture, those of all networks below each other.
function bars(canvas, card, labels, tall, ratio, dark) {
  const c = prepare(canvas, ratio), style = getComputedStyle(canvas), width = canvas.clientWidth, nets = card.bars.length
  const font = size => { c.font = `${size}px ${style.fontFamily}` }
  font(Math.min(12, tall + 2))
  const left = Math.min(.35 * width, Math.max(...labels.map(each => c.measureText(each).width)) + 18), room = width - left - 42
  c.textBaseline = 'middle'
  const thick = Math.min(6, (tall - 3) / Math.max(1, nets))
  labels.forEach((each, j) => {
    const top = j * tall, middle = top + tall / 2
    if (j === card.hard) { c.globalAlpha = .14; c.fillStyle = style.color; c.fillRect(0, top, width, tall); c.globalAlpha = 1 }
    c.fillStyle = style.color; c.textAlign = 'right'
    font(Math.min(12, tall + 2)); if (j === card.hard) c.font = `700 ${c.font}`
    if (tall >= 9) c.fillText(each, left - 6, middle + .5, left - 16)
    if (j === card.hard) { c.beginPath(); c.arc(5, middle, 3.5, 0, 7); c.fill() }
    for (let i = 0; i < nets; i++) {
      const y = middle + (i - nets / 2) * thick, long = card.bars[i][j] * room
      c.fillStyle = RUNS[dark][i % RUNS[dark].length]
      c.fillRect(left, y + .5, Math.max(long, .75), thick - 1)
    }
    card.bars.forEach((row, i) => {
      if (card.best[i] !== j || (i > 0 && card.best.slice(0, i).includes(j))) return
      c.fillStyle = style.color; c.textAlign = 'left'; font(11); c.fillText(card.texts[i][j], left + Math.max(...card.bars.map(each => each[j])) * room + 4, middle + .5, 40)
    })
  })
  c.strokeStyle = style.color; c.globalAlpha = .4; c.lineWidth = 1; c.beginPath(); c.moveTo(left - .5, 0); c.lineTo(left - .5, labels.length * tall); c.stroke(); c.globalAlpha = 1
}
