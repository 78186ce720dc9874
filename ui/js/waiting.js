// What takes long says how far it is, over what is drawn already, and is stopped there.
const SOON = 600, PAUSE = 50, DEAF = 12  // milliseconds twice, and words that the server may have none

// Watch while something is awaited: the answer to what a control told, or, as `pending`, what the
// page's script still draws and gives by this way.
async function watch(root) {
  if (root.__watching) return
  root.__watching = true
  let deaf = 0
  if (root.__pending) say(root, { text: 'Computing …', left: '', share: null })
  else await wait(SOON)
  while (root.isConnected && (root.__telling || root.__pending)) {
    try {
      const answer = await fetch(`${root.__url}/progress${root.__pending ? '?drawn' : ''}`)
      const words = answer.headers.get('content-type')?.startsWith('application/json')
      const given = answer.status !== 200 ? null : words ? await answer.json() : await answer.arrayBuffer()
      if (!root.__telling && !root.__pending) break
      if (answer.status === 404) { root.__pending = false; renew(root); break }
      if (given && words) { deaf = 0; say(root, given) }
      else if (given && root.__pending) settle(root, new Uint8Array(given))
      else if (++deaf > DEAF) root.__pending = false  // the script has ended without it
      await wait(PAUSE)
    } catch { await wait(2000) }  // the server is away for a moment
  }
  root.__watching = false
  hush(root); rest(root)
}

// The packet that the page's script owed is here.
function settle(root, bytes) {
  const [header] = unpack(bytes)
  root.__pending = false; root.__status = header.status
  show(root, bytes)
  begin(root, header)
  rest(root)
}

function say(root, told) {
  const line = root.__line ??= lineOf(root), room = root.parentElement, first = root.firstElementChild
  room.classList.add('waits')
  line.style.minHeight = first?.className.includes('progress') ? `${first.offsetHeight}px` : ''
  set(line.querySelector('p'), told.left ? `${told.text}, ${told.left}` : told.text)
  const track = line.querySelector('.track')
  track.classList.toggle('unknown', told.share === null)
  if (told.share === null) track.removeAttribute('aria-valuenow')
  else track.ariaValueNow = Math.round(100 * told.share)
  track.firstChild.style.width = told.share === null ? '' : `${(100 * told.share).toFixed(1)}%`
}

function hush(root) {
  const button = root.__line?.querySelector('button')
  if (!button || !root.parentElement.classList.contains('waits')) return
  const focused = root.getRootNode().activeElement === button
  root.parentElement.classList.remove('waits')
  button.disabled = false; set(button, 'Stop')
  if (focused && root.__offer && !root.__offer.hidden) root.__offer.focus()
}

function lineOf(root) {
  const line = make('div', 'waiting'), button = make('button', '', 'Stop'), track = make('div', 'track')
  track.role = 'progressbar'; track.ariaLabel = 'How far it is'; track.append(make('i'))
  line.append(make('p'), button, track)
  button.onclick = () => {
    button.disabled = true; set(button, 'Stopping …')
    fetch(`${root.__url}/progress`, { method: 'POST' }).catch(() => { button.disabled = false; set(button, 'Stop') })
  }
  root.parentElement.append(line)
  return line
}

// What was stopped is not computed again by itself; here it is asked for.
function offer(root, stopped) {
  if (!stopped && !root.__offer) return
  if (!root.__offer) {
    root.__offer = make('button', 'again', 'Ask again')
    root.__offer.onclick = () => tell(root, 'again', 1, true)
    root.parentElement.append(root.__offer)
  }
  root.__offer.hidden = !stopped
  root.classList.toggle('stopped', stopped)
}
