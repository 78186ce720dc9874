// Curves over any axis, bars, a list of what holds and what does not, and a table of shares.
Object.assign(kinds, {
  lines: {
    build(node) { node.append(head(make('em')), make('canvas'), make('output')) },
    paint(node, block, values, screen) {
      set(node.querySelector('h4 span'), block.title)
      const canvas = node.querySelector('canvas'), ratio = devicePixelRatio || 1, n = block.points, count = block.names.length
      const em = node.querySelector('em'), html = count > 1 ? block.names.map((name, k) => `<span><i class="run k${k}"></i>${escape(name)}</span>`).join('') : ''
      if (em.__html !== html) em.innerHTML = em.__html = html
      const width = canvas.clientWidth, height = canvas.clientHeight
      const all = values.subarray(block.offset, block.offset + (1 + count + block.faint) * n)
      const drawn = [all.join(), JSON.stringify([block.ticks, block.stops, block.now, block.best, block.low, block.high, block.log]), html, width, ratio, screen.dark].join(';')
      const output = node.querySelector('output')
      label(canvas, block.alt)
      const xs = all.subarray(0, n), rows = block.names.map((_, k) => all.subarray((1 + k) * n, (2 + k) * n))
      const left = 58, bottom = 40, top = 8, right = 14, first = block.first, last = Math.max(block.last, first + 1e-9)
      const x = v => left + (v - first) / (last - first) * (width - left - right)
      const scaled = block.log ? Math.log : v => v, [lowest, highest] = [block.low, block.high].map(scaled)
      const y = v => top + (1 - (scaled(Math.min(Math.max(v, block.low), block.high)) - lowest) / (highest - lowest)) * (height - top - bottom)
      const nearest = place => { let best = 0; xs.forEach((v, i) => { if (Math.abs(v - place) < Math.abs(xs[best] - place)) best = i }); return best }
      canvas.onpointermove = event => {
        const best = nearest(first + (event.offsetX - left) / (width - left - right) * (last - first))
        const said = rows.map((row, k) => `${block.names[k]} ${Number.isNaN(row[best]) ? '–' : block.share ? `${(100 * row[best]).toFixed(1)} %` : number(row[best])}`)
        set(output, `${block.said[best] ?? `${block.axis} ${number(xs[best])}`}: ${said.join(', ')}`)
      }
      canvas.onpointerleave = () => set(output, block.under)
      if (!output.textContent || node.__under !== block.under) { node.__under = block.under; set(output, block.under) }
      canvas.onclick = event => {
        if (block.name) screen.tell(block.name, nearest(first + (event.offsetX - left) / (width - left - right) * (last - first)), true)
      }
      canvas.style.cursor = block.name ? 'pointer' : ''
      if (!width || canvas.__drawn === drawn) return
      canvas.__drawn = drawn
      const c = prepare(canvas, ratio), style = getComputedStyle(canvas)
      c.font = `13px ${style.fontFamily}`; c.fillStyle = style.color; c.lineWidth = 1
      c.strokeStyle = style.getPropertyValue('--st-border-color')
      c.textAlign = 'right'; c.textBaseline = 'middle'
      for (const [value, words] of block.ticks) {
        c.fillText(words, left - 6, y(value)); c.beginPath(); c.moveTo(left, y(value)); c.lineTo(width - right, y(value)); c.stroke()
      }
      c.strokeRect(left, top, width - left - right, height - top - bottom)
      c.textBaseline = 'top'; c.textAlign = 'center'
      for (const [value, words] of block.stops) {
        c.fillText(words, x(value), height - bottom + 4); c.beginPath(); c.moveTo(x(value), top); c.lineTo(x(value), height - bottom); c.stroke()
      }
      c.textBaseline = 'bottom'; c.fillText(block.axis, (left + width - right) / 2, height - 1)
      if (block.low < 0 && block.high > 0) { c.strokeStyle = style.color; c.beginPath(); c.moveTo(left, y(0)); c.lineTo(width - right, y(0)); c.stroke() }
      const trace = (row, width) => {
        c.lineWidth = width; c.beginPath()
        let pen = false
        row.forEach((v, i) => {
          if (Number.isNaN(v)) { pen = false; return }
          pen ? c.lineTo(x(xs[i]), y(v)) : c.moveTo(x(xs[i]), y(v)); pen = true
        })
        c.stroke()
      }
      c.strokeStyle = screen.dark ? '#6f6f6f' : '#a8a8a8'
      for (let k = 0; k < block.faint; k++) trace(all.subarray((1 + count + k) * n, (2 + count + k) * n), 1)
      rows.forEach((row, k) => {
        c.strokeStyle = c.fillStyle = RUNS[screen.dark][k % RUNS[screen.dark].length]
        trace(row, 2.5)
        if (n <= 40) row.forEach((v, i) => { if (!Number.isNaN(v)) { c.beginPath(); c.arc(x(xs[i]), y(v), 3, 0, 7); c.fill() } })
      })
      c.strokeStyle = c.fillStyle = style.color
      if (block.best !== null) { c.lineWidth = 2; c.beginPath(); c.arc(x(xs[block.best]), y(rows[0][block.best]), 7, 0, 7); c.stroke() }
      if (block.now !== null) { c.lineWidth = 2; c.setLineDash([4, 3]); c.beginPath(); c.moveTo(x(xs[block.now]), top); c.lineTo(x(xs[block.now]), height - bottom); c.stroke(); c.setLineDash([]) }
    },
  },
  bars: {
    build(node, block) {
      node.append(head(make('em')))
      for (const _ of block.rows) {
        const row = make('div', 'thing'), what = make('div'), all = make('div', 'all')
        what.append(make('b'), make('span'))
        block.names.forEach((_, i) => {  // each in a row of its own: the dashed line lies over all of them
          const track = make('span', 'track'), value = make('span')
          track.style.gridRow = value.style.gridRow = i + 1
          track.append(make('i')); all.append(track, value)
        })
        all.append(make('u')); row.append(what, all); node.append(row)
      }
      node.append(make('output'))
    },
    paint(node, block) {
      const html = block.names.map((name, k) => `<span><i class="run k${k}"></i>${escape(name)}</span>`).join(''), em = node.querySelector('em')
      if (em.__html !== html) em.innerHTML = em.__html = html
      set(node.querySelector('h4 span'), block.title); set(node.lastChild, block.under)
      node.querySelectorAll('.thing').forEach((row, k) => {
        const [what, note, shares] = block.rows[k], all = row.lastChild
        set(row.querySelector('b'), what); set(row.querySelector('b + span'), note)
        shares.forEach(([share, text], i) => {
          all.children[2 * i].firstChild.style.width = `${(100 * share).toFixed(2)}%`
          all.children[2 * i].title = block.names[i]
          set(all.children[2 * i + 1], text)
        })
        all.lastChild.hidden = block.mark === null
        all.lastChild.style.marginLeft = `${(100 * (block.mark ?? 0)).toFixed(2)}%`
      })
    },
  },
  checks: {
    build(node, block) {
      node.append(make('h4', '', block.title), make('ul'))
      for (const _ of block.rows) { const row = make('li'); row.append(make('i'), make('b'), make('span')); node.lastChild.append(row) }
    },
    paint(node, block) {
      set(node.firstChild, block.title)
      block.rows.forEach(([holds, what, told], k) => {
        const row = node.lastChild.children[k]
        row.className = holds === null ? 'open' : holds ? 'holds' : 'fails'
        set(row.children[0], holds === null ? '–' : holds ? '✓' : '✗')
        row.children[0].ariaLabel = holds === null ? 'not known' : holds ? 'yes' : 'no'
        row.children[0].role = 'img'
        set(row.children[1], what); set(row.children[2], told)
      })
    },
  },
  shares: {
    build(node, block) {
      const grid = make('div', 'grid'), names = make('dl')
      grid.style.setProperty('--k', block.columns)
      grid.append(make('span'), ...block.rows.slice(0, block.columns).map(([short]) => make('span', 'name', short)))
      for (const [short, full] of block.rows) {
        grid.append(make('span', 'name', short))
        for (let j = 0; j < block.columns; j++) { const cell = make('button'); cell.append(make('b'), make('span')); grid.append(cell) }
        names.append(make('dt', '', short), make('dd', '', full))
      }
      node.append(make('h4'), make('p'), grid, make('p', 'under'), names)
    },
    paint(node, block, values, screen) {
      set(node.children[0], block.title); set(node.children[1], block.note); set(node.children[3], block.under)
      block.rows.forEach(([, full], i) => set(node.lastChild.children[2 * i + 1], full))
      const k = block.columns, n = block.rows.length * k
      node.querySelectorAll('button').forEach((cell, place) => {
        const i = Math.floor(place / k), j = place % k, count = values[block.offset + place], tried = values[block.offset + n + place]
        const chosen = !!block.chosen && block.chosen[0] === i && block.chosen[1] === j
        set(cell.firstChild, tried ? `${(100 * count / tried).toFixed(0)} %` : '–')
        set(cell.lastChild, tried ? `${count}/${tried}` : '')
        cell.className = (i === j ? 'same' : i < k ? 'other' : 'noise') + (chosen ? ' chosen' : '')
        cell.style.setProperty('--shade', `${tried ? (55 * count / tried).toFixed(0) : 0}%`)
        cell.disabled = !tried
        cell.ariaPressed = String(chosen)
        cell.ariaLabel = cell.title = tried ? `${count} of ${tried}, ${block.rows[i][0]}, read by ${block.rows[j][0]}` : 'none was tried'
        cell.onclick = () => screen.tell(block.name, chosen ? null : [i, j], true)
      })
    },
  },
})
