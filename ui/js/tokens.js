// Texts in tokens: a history that is gone through, a running text, the commonest pairs, an encoding, a tree, tokenizers compared.
// A byte that belongs to no whole character comes as a lone surrogate, U+DC80 to U+DCFF (PEP 383).
const LIT = 1, STARTS = 2, COLOURS = 8, BENT = 300  // of more merges than that the slider gives the first more room
const PACES = [1, 3, 10, 30, 100, 300]  // merges a second
const spelled = value => value.toLocaleString('en')
const colourOf = id => Math.imul(id + 1, 0x9E3779B1) >>> 29  // one of COLOURS, the same at each step
const hex = byte => byte.toString(16).toUpperCase().padStart(2, '0')
const STRANGE = /[\udc80-\udcff]|\p{Cf}|^\p{M}/u

// What is unseen gets a sign; words break before their space, which a token has at its front.
const visible = text => text.replace(/[ \n\t\r\u00a0\0-\x1f\x7f]/g, sign => ({ ' ': '\u200b·', '\n': '⏎\n', '\t': '⇥\t', '\r': '␍', '\u00a0': '⍽', '\x7f': '␡' })[sign] ?? String.fromCharCode(0x2400 + sign.charCodeAt(0)))

// The bytes of a token, those of characters and those that are none.
function bytesOf(text) {
  const found = []
  for (const sign of text) {
    const code = sign.codePointAt(0)
    if (code >= 0xdc80 && code <= 0xdcff) found.push(code - 0xdc00); else found.push(...new TextEncoder().encode(sign))
  }
  return found
}

// A token in parts: text, a byte of a character that is split, a character without a shape of its own.
const cut = new Map()
function partsOf(text) {
  let parts = cut.get(text)
  if (parts) return parts
  if (!STRANGE.test(text)) parts = visible(text)
  else if (/^[\p{Cf}\p{M}]+$/u.test(text)) parts = Array.from(text, sign => ['sign', /\p{M}/u.test(sign) ? `◌${sign}` : `U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`])
  else {
    parts = []
    for (const [piece] of text.matchAll(/[\udc80-\udcff]|[^\udc80-\udcff]+/gu)) {
      const byte = piece.charCodeAt(0) - 0xdc00
      if (byte >= 0x80 && byte <= 0xff) parts.push(['', '\u200b'], [byte >= 0xc0 ? 'lead' : 'byte', hex(byte)])
      else parts.push(['', (/^\p{M}/u.test(piece) ? '◌' : '') + visible(piece)])
    }
  }
  if (cut.size > 20000) cut.clear()
  cut.set(text, parts)
  return parts
}

const oneLine = text => { const parts = partsOf(text); return (typeof parts === 'string' ? parts : parts.map(([, sign]) => sign).join('')).replace(/[\n\t\u200b]/g, '') }
const quoted = ([text, , ends]) => { const line = oneLine(text); return `“${line.length > 40 ? `${line.slice(0, 39)}…` : line}${ends ? '</w>' : ''}”` }

// Put a token into a span, which mostly has it already.
function printed(span, text, ends, name) {
  if (span.__text !== text || span.__ends !== ends) {
    span.__text = text; span.__ends = ends
    const parts = partsOf(text)
    if (typeof parts === 'string' && !ends) {
      if (span.childNodes.length === 1 && span.firstChild.nodeType === 3) span.firstChild.data = parts; else span.textContent = parts
    } else {
      span.replaceChildren(...(typeof parts === 'string' ? [parts] : parts.map(([kind, sign]) => kind ? make('small', kind, sign) : sign)), ...(ends ? [make('sub', '', '⌟'), '\u200b'] : []))
    }
  }
  if (span.__name !== name) span.className = span.__name = name
  return span
}
const spanOf = ([text, id, ends], name = '') => printed(make('span'), text, ends, `k${colourOf(id)}${name}`)

// A token in words; of one that has only some of the bytes of a character, which that is.
function described([text, id, ends], split) {
  const bytes = bytesOf(text), first = bytes.slice(0, 12).map(hex).join(' ')
  return [`token ${quoted([text, id, ends])}`, id >= 0 && `id ${spelled(id)}`, `${text.endsWith('…') && bytes.length > 390 ? 'about 400 bytes or more' : `${bytes.length} ${bytes.length === 1 ? 'byte' : 'bytes'}`}: ${first}${bytes.length > 12 ? ' …' : ''}`, split && `not all bytes of ${split} are in it`].filter(Boolean).join(', ')
}

// The characters of which the token at a place has only some bytes: its neighbours have the others.
function splitOf(text, at, count) {
  if (!/[\udc80-\udcff]/u.test(text(at))) return ''
  const goesOn = /^[\udc80-\udcbf]/u, found = []
  let first = at, last = at, all = [], before = 0
  while (first > 0 && goesOn.test(text(first))) first--
  while (last + 1 < count && goesOn.test(text(last + 1))) last++
  for (let j = first; j <= last; j++) { if (j === at) before = all.length; all = all.concat(bytesOf(text(j))) }
  const after = before + bytesOf(text(at)).length
  let place = 0
  for (const sign of new TextDecoder().decode(Uint8Array.from(all))) {
    const size = sign === '\ufffd' ? 1 : new TextEncoder().encode(sign).length, inside = Math.min(place + size, after) - Math.max(place, before)
    if (inside > 0 && inside < size) found.push(`“${sign}”`)
    place += size
  }
  return found.join(' and ')
}

// The token of the line above or below that stands nearest.
function beneath(spans, at, down) {
  const here = spans[at].getClientRects()[0], middle = here.left + here.width / 2
  let best = at, near = Infinity, line = null
  for (let j = at + down; j >= 0 && j < spans.length; j += down) {
    const box = spans[j].getClientRects()[0], away = (box.top - here.top) * down
    if (away < here.height / 2) continue
    line ??= box.top
    if (Math.abs(box.top - line) > here.height / 2) break
    const far = Math.abs(box.left + box.width / 2 - middle)
    if (far < near) { near = far; best = j }
  }
  return best
}

function titled(node, block, screen) {
  set(node.querySelector('h4 span'), block.title); set(node.querySelector('.hint'), block.hint)
  node.classList.toggle('dark', screen.dark)
}

Object.assign(kinds, {
  history: {
    stays: true,
    build(node, block) {
      node.innerHTML = '<p class="count"><label><span></span> <input type="number" min="0" inputmode="numeric"></label><span class="of"></span><output></output></p>'
        + '<div class="wheel"><button class="back">◀</button><div class="slide"><input type="range" min="0"><div class="marks" aria-hidden="true"></div></div><button class="on">▶</button></div>'
        + '<div class="hand"><button class="play"></button><label>at <select></select></label><span class="stops"></span></div>'
      node.querySelector('.back').ariaLabel = 'One step back'; node.querySelector('.on').ariaLabel = 'One step on'
      node.querySelector('[type=range]').ariaLabel = node.querySelector('[type=number]').ariaLabel = block.label
      const select = node.querySelector('select')
      select.ariaLabel = 'Speed'
      select.append(...PACES.map(pace => Object.assign(make('option', '', pace === 1 ? '1 a second' : `${pace} a second`), { value: pace, selected: pace === 3 })))
    },
    paint(node, block, _, screen) {
      node.__screen = screen; node.__block = block
      if (screen.settled) node.__waits = false
      if (!node.__playing && screen.settled && !node.__held) node.__step = block.step
      node.__step = between(node.__step ?? block.step, 0, block.steps)
      const [range, field, play] = ['[type=range]', '[type=number]', '.play'].map(each => node.querySelector(each)), steps = block.steps
      const bent = steps > BENT, most = bent ? 2000 : steps
      const show = () => {
        const step = node.__step
        if (Number(range.max) !== most) range.max = most
        if (!node.__held) range.value = bent ? Math.round(most * Math.sqrt(step / steps)) : step
        range.style.setProperty('--done', `${(100 * (steps ? bent ? Math.sqrt(step / steps) : step / steps : 0)).toFixed(2)}%`)
        range.ariaValueText = `${spelled(step)} of ${spelled(steps)}`
        if (!field.matches(':focus')) field.value = step
        node.querySelector('.back').disabled = step <= 0; node.querySelector('.on').disabled = step >= steps
        set(play, node.__playing ? '❚❚ Pause' : '▶ Play')
      }
      const go = (step, last) => {
        node.__step = between(Math.round(step), 0, steps); node.__waits = true
        node.__screen.tell(block.name, node.__step, last); show()
      }
      const stop = () => {
        if (!node.__playing) return
        clearTimeout(node.__playing); node.__playing = null
        node.__screen.tell(null, null, true); show()
      }
      const by = (count, last) => { stop(); go(node.__step + count, last) }
      const run = began => {
        node.__playing = setTimeout(() => {
          if (!node.isConnected) { node.__playing = null; return }
          const now = performance.now(), pace = Number(node.querySelector('select').value)
          const gained = Math.floor((now - began) / 1000 * pace)
          if (!gained || (node.__waits && now - began < 3000)) return run(began)  // the screen shows the last one first
          go(node.__step + gained, false)
          if (node.__step >= node.__block.steps) stop(); else run(Math.max(now - 1000 / pace, began + 1000 * gained / pace))
        }, 20)
      }
      set(node.querySelector('label span'), block.label); set(node.querySelector('.of'), `of ${spelled(steps)}`); set(node.querySelector('output'), block.note)
      field.max = steps; field.style.setProperty('--digits', String(steps).length)
      range.disabled = field.disabled = play.disabled = !steps
      if (node.__steps !== steps) { node.__steps = steps; marked(node.querySelector('.marks'), steps, bent) }
      const stops = JSON.stringify(block.stops), chips = node.querySelector('.stops')
      if (node.__stops !== stops) {
        node.__stops = stops
        chips.replaceChildren(...block.stops.map(([step, words]) => { const chip = make('button', 'chip', words); chip.onclick = () => { stop(); node.__go(step, true) }; return chip }))
      }
      node.__go = go
      range.oninput = () => {
        stop(); node.__held = true
        clearTimeout(node.__rests); node.__rests = setTimeout(() => { node.__held = false }, 600)
        go(bent ? steps * (Number(range.value) / most) ** 2 : Number(range.value), false)
      }
      range.onchange = () => { node.__held = false; node.__screen.tell(null, null, true) }
      field.onchange = () => { stop(); if (field.value !== '' && Number.isFinite(Number(field.value))) go(Number(field.value), true); field.value = node.__step }
      field.onblur = () => { field.value = node.__step }
      node.querySelector('.back').onclick = () => by(-1, true); node.querySelector('.on').onclick = () => by(1, true)
      play.onclick = () => {
        if (node.__playing) return stop()
        if (node.__step >= steps) go(0, false)
        run(performance.now()); show()
      }
      node.onkeydown = event => {
        const count = event.shiftKey ? 10 : 1, inside = event.target
        if (inside === field) { event.stopPropagation(); return }  // or a letter would be one of Streamlit's shortcuts
        if (inside.tagName === 'SELECT' || event.altKey || event.ctrlKey || event.metaKey) return
        const move = { ArrowLeft: -count, ArrowDown: -count, ArrowRight: count, ArrowUp: count, PageDown: -100, PageUp: 100, Home: -steps, End: steps }[event.key]
        if (move === undefined) return
        event.preventDefault(); event.stopPropagation()
        by(move, false)
      }
      node.onkeyup = event => { if (event.target !== field && /^(Arrow|Page|Home|End)/.test(event.key)) node.__screen.tell(null, null, true) }
      show()
    },
  },
  tokenised: {
    stays: true,
    build(node) {
      const box = make('div', 'printed'), around = make('div', 'around'), slide = Object.assign(make('input'), { type: 'range', min: 0 })
      box.tabIndex = 0; slide.ariaLabel = 'Place in the text'
      around.append(make('button', '', '◀ Earlier'), slide, make('button', '', 'More ▶'), make('span'))
      node.append(head(make('em')), make('p', 'hint'), box, make('output'), around)
      node.querySelector('output').ariaLive = 'polite'
      node.__spans = []; node.__spare = []; node.__at = -1
    },
    paint(node, block, values, screen) {
      titled(node, block, screen)
      const box = node.querySelector(':scope > .printed'), output = node.querySelector('output'), count = block.count, known = block.known
      const part = k => values.subarray(block.offset + k * count, block.offset + (k + 1) * count), [order, begins, flags] = [part(0), part(1), part(2)]
      const names = known.map(([, id]) => `k${colourOf(id)}${id === block.chosen ? ' chosen' : ''}`)
      if (box.ariaLabel !== block.alt) { box.ariaLabel = block.alt; box.role = 'application' }
      const lines = `${block.lines}`
      if (node.__lines !== lines) { node.__lines = lines; box.style.setProperty('--lines', lines) }
      box.classList.toggle('bounded', block.boundaries)
      // A token that begins where one began before keeps its node: from step to step nearly all do.
      // Where most do not, each takes the next node, so that none has to be moved.
      const old = node.__spans, spare = node.__spare, now = new Array(count)
      let i = 0, any = false, kept = 0
      for (let a = 0, j = 0; a < old.length && j < count;) {
        const far = old[a].__from - block.first - begins[j]
        kept += !far; a += far <= 0; j += far >= 0
      }
      const moves = 2 * kept < count
      for (let j = 0; j < count; j++) {
        const from = block.first + begins[j], k = order[j], flag = flags[j]
        while (!moves && i < old.length && old[i].__from < from) { old[i].remove(); spare.push(old[i++]) }
        let span
        if (i < old.length && (moves || old[i].__from === from)) span = old[i++]
        else { span = spare.pop() ?? make('span'); box.insertBefore(span, old[i] ?? null) }
        span.__from = from; span.__place = j; any ||= flag & LIT
        now[j] = printed(span, known[k][0], known[k][2], flag ? `${names[k]}${flag & LIT ? ' lit' : ''}${flag & STARTS ? ' start' : ''}` : names[k])
      }
      for (; i < old.length; i++) { old[i].remove(); spare.push(old[i]) }
      spare.length = Math.min(spare.length, 3000)
      node.__spans = now
      if (!!box.__empty !== !count) { box.__empty?.remove(); box.__empty = count ? null : box.appendChild(make('i')) }
      if (box.__empty) set(box.__empty, block.empty)
      node.__made ||= any  // once it was said it stays, or the text would jump
      const em = node.querySelector('em'), legend = `${node.__made ? `<span class="printed"><span class="k0 lit">${block.lit[0]}</span> ${block.lit[1]}</span>` : ''}${block.boundaries && flags.some(flag => flag & STARTS) ? '<span><u></u> a piece begins</span>' : ''}`
      if (em.__html !== legend) em.innerHTML = em.__html = legend
      const moved = node.__first !== block.first
      if (moved) { node.__first = block.first; box.scrollTop = 0 }
      const lits = now.filter((_, j) => flags[j] & LIT), which = `${block.first} ${flags.map((flag, j) => flag & LIT ? j : '').join('')}`
      if (node.__which !== which) {  // what was just made is to be seen
        node.__which = which
        const seen = span => span.offsetTop >= box.scrollTop && span.offsetTop + span.offsetHeight <= box.scrollTop + box.clientHeight
        if (lits.length && !lits.some(seen)) box.scrollTop = lits[0].offsetTop - box.clientHeight / 3
      }

      const entry = j => known[order[j]], usual = count ? 'Point at a token for its id and its bytes.' : ''
      const told = j => {
        let often = 0
        for (const k of order) often += k === order[j]
        return `${described(entry(j), splitOf(a => entry(a)[0], j, count))}, ${often === 1 ? 'once' : `${often} times`} in what you see`
      }
      const point = j => {
        node.__at = j
        for (const span of node.__marked ?? []) span.classList.remove('same', 'at')
        node.__marked = j < 0 ? [] : now.filter((_, a) => order[a] === order[j])
        for (const span of node.__marked) span.classList.add('same')
        now[j]?.classList.add('at')
        set(output, j < 0 ? usual : told(j))
      }
      const aim = j => { node.__aim = now[j]?.__from; point(j) }
      const choose = j => { if (block.name && j >= 0) screen.tell(block.name, entry(j)[1], true) }
      const find = event => event.target.closest?.('.printed > span')?.__place ?? -1
      box.onpointerover = event => { const j = find(event); if (j >= 0 && j !== node.__at) aim(j) }
      box.onpointerleave = event => { if (event.pointerType !== 'touch' && !box.matches(':focus-visible')) point(-1) }
      box.onclick = event => { const j = find(event); if (j >= 0) { aim(j); choose(j) } }
      box.onblur = () => point(-1)
      box.style.cursor = block.name ? 'pointer' : ''
      box.onkeydown = event => {
        if (!count || event.altKey || event.ctrlKey || event.metaKey) return
        const across = { ArrowLeft: -1, ArrowRight: 1, Home: -count, End: count }[event.key], down = { ArrowUp: -1, ArrowDown: 1 }[event.key]
        const does = across || down || ['Enter', ' ', 'Escape'].includes(event.key)
        if (!does) return
        event.preventDefault(); event.stopPropagation()
        if (event.key === 'Escape') return point(-1)
        if (!across && !down) return choose(node.__at)
        const to = node.__at < 0 ? 0 : across ? between(node.__at + across, 0, count - 1) : beneath(now, node.__at, down)
        aim(to); now[to].scrollIntoView({ block: 'nearest', inline: 'nearest' })
      }
      // What is pointed at stays so while it grows; elsewhere in the text it is nothing any more.
      point(node.__at < 0 || moved ? -1 : now.findLastIndex(span => span.__from <= node.__aim))

      const around = node.querySelector('.around'), [earlier, slide, more, words] = around.children, wide = block.last - block.first, end = Math.max(0, block.size - wide)
      around.hidden = !block.place || wide >= block.size
      if (around.hidden) return
      set(words, `${spelled(block.first)} to ${spelled(block.last)} of ${spelled(block.size)} bytes`)
      if (Number(slide.max) !== end) slide.max = end
      if (!slide.__busy && screen.settled) slide.value = block.first
      slide.ariaValueText = words.textContent
      earlier.disabled = block.first <= 0; more.disabled = block.last >= block.size
      earlier.onclick = () => screen.tell(block.place, Math.max(0, block.first - wide), true)
      more.onclick = () => screen.tell(block.place, block.last, true)
      slide.oninput = () => {
        slide.__busy = true; clearTimeout(slide.__rests); slide.__rests = setTimeout(() => { slide.__busy = false }, 600)
        screen.tell(block.place, Number(slide.value))
      }
      slide.onchange = () => { slide.__busy = false; screen.tell(null, null, true) }
    },
  },
  candidates: {
    stays: true,
    build(node) { node.append(head(make('em')), make('p', 'hint'), make('div', 'ranks'), make('output')); node.lastChild.ariaLive = 'polite' },
    paint(node, block, _, screen) {
      titled(node, block, screen)
      const ranks = node.querySelector('.ranks'), em = node.querySelector('em'), guess = block.guess?.join()
      if (node.__hidden !== block.hidden || ranks.children.length !== block.slots) {
        node.__hidden = block.hidden
        ranks.replaceChildren(...Array.from({ length: block.slots }, () => {
          const row = make(block.hidden ? 'button' : 'div', 'rank'), pair = make('span', 'pair printed'), track = make('span', 'track')
          pair.append(make('span'), make('span'), make('b'), make('span')); track.append(make('i'))
          row.append(pair, ...(block.hidden ? [] : [track, make('span', 'often'), make('span', 'tag')]))
          return row
        }))
      }
      ranks.classList.toggle('hidden', block.hidden)
      const legend = block.hidden ? '<span>which one is merged next?</span>' : '<span><i class="next"></i>merged next</span><span><i class="tied"></i>just as common</span><span><i class="other"></i>less common</span>'
      if (em.__html !== legend) em.innerHTML = em.__html = legend
      block.pairs.forEach((pair, k) => {
        const row = ranks.children[k], [left, right, arrow, made] = row.firstChild.children, mine = pair.ids.join() === guess
        printed(left, pair.left, false, `k${colourOf(pair.ids[0])}`); printed(right, pair.right, pair.ends, `k${colourOf(pair.ids[1])}`)
        set(arrow, '→'); printed(made, pair.made, pair.ends, 'result')
        arrow.hidden = made.hidden = oneLine(pair.made).length > 7  // where there is no room for it twice
        const said = `${quoted([pair.left])} and ${quoted([pair.right, 0, pair.ends])}`
        if (block.hidden) {
          row.ariaLabel = `Guess ${said}`; row.disabled = false
          row.onclick = () => screen.tell(block.name, pair.ids, true)
          row.className = `rank${mine ? ' mine' : ''}`; row.ariaPressed = String(mine)
          return
        }
        row.className = `rank ${pair.chosen ? 'next' : pair.tied ? 'tied' : 'other'}${mine ? ' mine' : ''}`
        row.querySelector('i').style.width = `${(100 * pair.share).toFixed(2)}%`
        set(row.children[2], pair.count)
        set(row.lastChild, mine ? pair.chosen ? '✓ yours' : '✗ yours' : pair.chosen ? 'next' : pair.tied ? 'tied' : '')
        row.role = 'group'; row.ariaLabel = `${said}: ${pair.count} times${pair.chosen ? ', merged next' : pair.tied ? ', as often as that one' : ''}${mine ? ', your guess' : ''}`
      })
      for (let k = 0; k < block.slots; k++) ranks.children[k].style.visibility = k < block.pairs.length ? '' : 'hidden'
      const next = block.pairs.find(pair => pair.chosen), mine = block.pairs.find(pair => pair.ids.join() === guess)
      const verdict = !guess || block.hidden || !next ? '' : mine?.chosen ? 'Right. ' : mine?.tied ? `It is as common, but the rule for ties takes ${quoted([next.left])} + ${quoted([next.right, 0, next.ends])}. ` : `No: ${quoted([next.left])} + ${quoted([next.right, 0, next.ends])} comes ${next.count} times${mine ? `, yours ${mine.count} times` : ''}. `
      set(node.querySelector('output'), `${verdict}${block.pairs.length ? block.note : block.note || 'No pair is left that could be merged.'}`)
      node.querySelector('output').className = verdict ? mine?.chosen ? 'right' : 'wrong' : ''
    },
  },
  trace: {
    stays: true,
    build(node) { node.append(head(), make('p', 'hint'), make('div', 'segments')); node.lastChild.role = 'listbox' },
    paint(node, block, _, screen) {
      titled(node, block, screen)
      const list = node.lastChild
      list.ariaLabel = `${block.title}: arrow keys go from merge to merge`
      while (list.children.length > block.segments.length) list.lastChild.remove()
      while (list.children.length < block.segments.length) { const row = make('button', 'segment'); row.role = 'option'; row.append(make('b'), make('span', 'printed'), make('small')); list.append(row) }
      block.segments.forEach((segment, k) => {
        const row = list.children[k], [rank, line, words] = row.children, here = k === block.at, made = new Set(segment.made), left = new Set(segment.merged)
        set(rank, k ? `${k}` : '0')
        while (line.children.length > segment.tokens.length) line.lastChild.remove()
        segment.tokens.forEach(([text, id, ends], j) => {
          const span = line.children[j] ?? line.appendChild(make('span'))
          printed(span, text, ends, `k${colourOf(id)}${made.has(j) ? ' lit' : ''}${left.has(j) ? ' left' : ''}${left.has(j - 1) ? ' right' : ''}`)
        })
        set(words, segment.rank === null ? `${segment.tokens.length} ${segment.tokens.length === 1 ? 'token' : 'tokens'}` : `merge ${spelled(segment.rank)} next`)
        row.classList.toggle('here', here); row.ariaSelected = String(here)
        row.tabIndex = here || (block.at === null && !k) ? 0 : -1
        row.ariaLabel = `${k} merges: ${segment.tokens.map(oneTold).join(' ')}; ${words.textContent}`
        row.onclick = () => screen.tell(block.name, k, true)
      })
      list.onkeydown = event => {
        const by = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity }[event.key]
        if (!by || event.altKey || event.ctrlKey || event.metaKey) return
        event.preventDefault(); event.stopPropagation()
        const from = [...list.children].indexOf(event.target.closest('.segment')), to = between(from + by, 0, list.children.length - 1)
        list.children[to].focus(); screen.tell(block.name, to, true)
      }
    },
  },
  family: {
    stays: true,
    build(node) { node.append(head(), make('p', 'hint'), make('div', 'branches'), make('output')); node.lastChild.ariaLive = 'polite' },
    paint(node, block, _, screen) {
      titled(node, block, screen)
      const box = node.querySelector('.branches'), output = node.querySelector('output')
      const drawn = JSON.stringify([block.branches, block.chosen, block.name, box.clientWidth])
      if (node.__drawn === drawn) { node.__screen = screen; return }
      node.__drawn = drawn; node.__screen = screen; box.replaceChildren(); set(output, '')
      if (!block.branches.length) return
      const em = 17, row = 74, tall = 44, places = []
      // Units side by side as they stand in the token, each token above the middle of its parts.
      let edge = 4, most = 0
      block.branches.forEach(([text, ends, , rank, left, right], k) => {
        const wide = Math.max((Array.from(oneLine(text)).length + (ends ? 1 : 0)) * .62 * em + 14, rank === null ? 34 : 40 + 6.2 * spelled(rank).length)
        if (left < 0) { places[k] = { x: edge + wide / 2, wide, level: 0 }; edge += wide + 8 } else {
          const level = 1 + Math.max(places[left].level, places[right].level)
          places[k] = { x: (places[left].x + places[right].x) / 2, wide, level }
          most = Math.max(most, level)
        }
      })
      const width = box.clientWidth, out = Math.min(0, ...places.map(({ x, wide }) => x - wide / 2 - 3)), across = Math.max(...places.map(({ x, wide }) => x + wide / 2 + 3)) - out
      const y = level => 3 + (most - level) * row, svg = drawing('svg', { viewBox: `${out} 0 ${across} ${most * row + tall + 6}`, role: 'group', 'aria-label': block.title })
      block.branches.forEach(([, , , , ...parts], k) => {
        for (const part of parts) if (part >= 0) {
          const [a, b] = [places[k], places[part]], [top, bottom] = [y(a.level) + tall, y(b.level)], bend = Math.min(26, (bottom - top) * .8)
          svg.append(drawing('path', { d: `M${a.x} ${top} C${a.x} ${top + bend} ${b.x} ${bottom - bend} ${b.x} ${bottom}`, class: 'twig' }))
        }
      })
      block.branches.forEach(([text, ends, id, rank], k) => {
        const { x, wide, level } = places[k], name = `k${colourOf(id)}${id === block.chosen ? ' chosen' : ''}${k === block.branches.length - 1 ? ' root' : ''}`
        const words = `${described([text, id, ends])}${rank === null ? ', of the alphabet' : `, made by merge ${spelled(rank)}`}`
        const group = drawing('g', { class: name, tabindex: 0, role: block.name ? 'button' : 'img', 'aria-label': words })
        group.append(drawing('rect', { x: x - wide / 2, y: y(level), width: wide, height: tall, rx: 6 }))
        group.append(Object.assign(drawing('text', { x, y: y(level) + 19 }), { textContent: oneLine(text) + (ends ? '⌟' : '') }))
        group.append(Object.assign(drawing('text', { x, y: y(level) + 37, class: 'rank' }), { textContent: rank === null ? bytesOf(text).map(hex).join(' ') : `merge ${spelled(rank)}` }))
        group.onpointerenter = group.onfocus = () => set(output, words)
        group.onpointerleave = () => set(output, '')
        group.onclick = () => { set(output, words); if (block.name) node.__screen.tell(block.name, id, true) }
        group.onkeydown = event => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); event.stopPropagation(); group.onclick() } }
        svg.append(group)
      })
      const scale = between(width / across, .85, 1)  // a wide one gets smaller first, then it is scrolled
      svg.setAttribute('width', across * scale); svg.setAttribute('height', (most * row + tall + 6) * scale)
      box.append(svg)
      box.scrollLeft = (places.at(-1).x - out) * scale - width / 2
    },
  },
  versus: {
    stays: true,
    build(node) {
      const table = make('table'), top = make('tr'), header = make('thead')
      for (const words of ['tokenizer', 'knows', 'tokens', 'bytes per token', 'unknown words']) { const cell = make('th', words.split(' ')[0], words); cell.scope = 'col'; top.append(cell) }
      header.append(top); table.append(header)
      node.append(head(), make('p', 'hint'), table, make('output')); node.lastChild.ariaLive = 'polite'
    },
    paint(node, block, _, screen) {
      titled(node, block, screen)
      const table = node.querySelector('table'), output = node.querySelector('output')
      if (table.ariaLabel !== block.title) table.ariaLabel = block.title
      while (table.tBodies.length > block.verdicts.length) table.lastChild.remove()
      while (table.tBodies.length < block.verdicts.length) {
        const body = make('tbody'), figures = make('tr'), line = make('tr', 'sentence'), name = make('th'), cell = make('td')
        name.scope = 'row'; name.append(make('button', 'name'), make('span')); cell.colSpan = 5; cell.append(make('span', 'printed'))
        const rate = make('td', 'rate'), track = make('span', 'track')
        track.append(make('i')); rate.append(make('span'), track)
        figures.append(name, make('td', 'knows'), make('td', 'tokens'), rate, make('td', 'unknown')); line.append(cell)
        body.append(figures, line); table.append(body)
      }
      block.verdicts.forEach((verdict, k) => {
        const body = table.tBodies[k], [name, knows, tokens, rate, unknown] = body.firstChild.children, button = name.firstChild, line = body.querySelector('.printed'), strange = new Set(verdict.strange)
        body.className = `${verdict.own ? 'own' : ''}${verdict.title === block.chosen ? ' here' : ''}`
        set(button, verdict.title); set(name.lastChild, verdict.note); set(knows, verdict.size); set(tokens, verdict.count); set(rate.firstChild, verdict.rate); set(unknown, verdict.unknown)
        button.disabled = !block.name; button.onclick = () => screen.tell(block.name, verdict.title, true)
        rate.querySelector('i').style.width = `${(100 * verdict.share).toFixed(1)}%`
        unknown.classList.toggle('some', /[1-9]/.test(verdict.unknown))
        while (line.children.length > verdict.tokens.length) line.lastChild.remove()
        verdict.tokens.forEach(([text, id, ends], j) => {
          const span = line.children[j] ?? line.appendChild(make('span'))
          printed(span, text, ends, strange.has(j) ? 'strange' : `k${colourOf(id)}`); span.__place = j
        })
        body.lastChild.hidden = !verdict.tokens.length
        line.classList.toggle('loose', verdict.loose); line.role = 'img'; line.ariaLabel = `${verdict.tokens.length} tokens: ${verdict.tokens.map(oneTold).join(' ')}`
        const told = event => {
          const j = event.target.closest?.('.printed > span')?.__place ?? -1
          set(output, j < 0 ? '' : `${verdict.title}: ${strange.has(j) ? 'what it does not know' : described(verdict.tokens[j], splitOf(a => verdict.tokens[a][0], j, verdict.tokens.length))}`)
        }
        line.onpointerover = line.onclick = told
        line.onpointerleave = event => { if (event.pointerType !== 'touch') set(output, '') }
      })
    },
  },
})

const oneTold = ([text, , ends]) => oneLine(text) + (ends ? '</w>' : '')
const drawing = (tag, facts) => { const node = document.createElementNS('http://www.w3.org/2000/svg', tag); for (const [name, value] of Object.entries(facts)) node.setAttribute(name, value); return node }

// Round numbers of steps under the slider, as many as have room.
function marked(box, steps, bent) {
  const place = step => steps ? bent ? Math.sqrt(step / steps) : step / steps : 0, found = [0]
  const all = (steps <= 12 ? Array.from({ length: steps }, (_, k) => k) : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000]).filter(step => step < steps && place(steps) - place(step) > (steps <= 12 ? .07 : .16))
  for (const step of all) if (place(step) - place(found.at(-1)) > .07) found.push(step)
  if (steps) found.push(steps)
  box.replaceChildren(...found.map(step => { const mark = make('span', '', spelled(step)); mark.style.setProperty('--at', place(step)); return mark }))
}
