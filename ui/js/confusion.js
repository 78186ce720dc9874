// A confusion matrix of ten classes: built once, then only its numbers and shades change.
function build(root) {
  const cells = []
  root.innerHTML = '<div class="read">read as →</div><div class="true">true ↓</div>'
  for (let row = -1; row < 10; row++) for (let column = -1; column < 10; column++) {
    const cell = document.createElement('div')
    if (row < 0 || column < 0) cell.className = 'name'
    if (row < 0 && column >= 0) cell.textContent = column
    if (column < 0 && row >= 0) cell.textContent = row
    if (row >= 0 && column >= 0) cells.push(cell)
    root.append(cell)
  }
  root.__cells = cells
}

export default function (component) {
  const root = component.parentElement.querySelector('.matrix'), counts = component.data.counts
  if (!root.__cells) build(root)
  counts.forEach((row, i) => {
    const total = row.reduce((a, b) => a + b, 0)
    row.forEach((count, j) => {
      const cell = root.__cells[10 * i + j], text = count ? String(count) : '·'
      if (cell.textContent !== text) cell.textContent = text
      const share = total ? count / total : 0
      cell.className = i === j ? 'right' : count ? 'wrong' : 'none'
      cell.style.setProperty('--share', (i === j ? share ** 3 : Math.min(1, 0.25 + 4 * share)).toFixed(2))
      cell.title = `${count} of ${total} true ${i} read as ${j}`
    })
  })
  root.setAttribute('aria-label', component.data.alt)
}
