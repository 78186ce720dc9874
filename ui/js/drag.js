// A range input that sends its value while it is dragged, at most twenty times a second.
export default function (component) {
  const { parentElement, data, setStateValue } = component
  const input = parentElement.querySelector('input'), output = parentElement.querySelector('output')
  parentElement.querySelector('label span').textContent = data.label
  input.min = data.lowest; input.max = data.highest; input.step = data.step
  if (!input.__dragging && Number(input.value) !== data.value) input.value = data.value
  output.textContent = input.value
  const send = () => setStateValue('value', Number(input.value))
  input.oninput = () => {
    input.__dragging = true
    output.textContent = input.value
    if (input.__timer) return
    send()
    input.__timer = setTimeout(() => { input.__timer = null; send() }, 50)
  }
  input.onchange = () => { input.__dragging = false; send() }
}
