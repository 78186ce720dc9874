"""A page with a screen and nothing else, for tests of its blocks: a route gives its packets."""

from collections.abc import Sequence
from typing import Any

from ui.blocks import Block, pack
from ui.screen import JS, PARTS

__all__ = ["PAGE", "packed"]


def packed(drawn: Sequence[Block], **run: Any) -> bytes:
    """Give what the page asks for as /packet, and what its screen is answered; maybe of a run."""
    header = {"url": "/screen/x", "run": "", "version": 0, "status": "", "follow": False}
    return pack({**header, "summons": 0, "period": 400, "stopped": False, **run}, drawn)


STYLE = "\n".join((JS / f"{name}.css").read_text(encoding="utf-8") for name in PARTS)
SCRIPT = "\n".join((JS / f"{name}.js").read_text(encoding="utf-8") for name in PARTS)
LIGHT = """--st-background-color: #ffffff; --st-secondary-background-color: #f0f2f6;
  --st-text-color: #31333f; --st-border-color: rgba(49, 51, 63, .2);
  --st-primary-color: #0072b2;"""
DARK = """--st-background-color: #0e1117; --st-secondary-background-color: #262730;
  --st-text-color: #fafafa; --st-border-color: rgba(250, 250, 250, .2);
  --st-primary-color: #56b4e9; --st-orange-text-color: #ffbd45;"""
PAGE = f"""<!doctype html><meta name="viewport" content="width=device-width"><style>
body {{ margin: 0 16px; font-family: sans-serif; --st-font: sans-serif; --st-base-radius: .5rem;
  {LIGHT}
  background: var(--st-background-color); }}
@media (prefers-color-scheme: dark) {{ body {{ {DARK} }} }}
{STYLE}</style>
<main data-testid="stApp" data-test-connection-state="CONNECTED"
  data-test-script-state="notRunning"><div class="room"><div class="screen"></div></div></main>
<script type="module">
{SCRIPT.replace("export default function", "function drawn")}
const component = {{ parentElement: document.querySelector('main'), setTriggerValue: run }}
async function run() {{  // as Streamlit does with the page's script
  component.data = new Uint8Array(await (await fetch('/packet')).arrayBuffer())
  drawn(component)
}}
run()
</script>"""
