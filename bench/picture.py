"""Take the README's picture: `python -m bench.picture` trains LeNet-5 in a real browser and looks.

It starts a server of its own, with a folder of runs that is thrown away, and ends it again.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "assets" / "picture.png"
LARGEST = 400_000  # bytes, as every clone carries it
PATIENCE = 90.0  # seconds for the server to be ready
TRAINED = 0.5  # share of the run's steps that are done in the picture
LONGEST = 300.0  # seconds until then
BROWSERS = ("chromium", "chromium-browser")
STEPS_DONE = r"""share => {
  const [, step, steps] = document.body.innerText.match(/([\d,]+) of ([\d,]+)/) ?? [, "0", "1"]
  return step.replaceAll(",", "") >= share * steps.replaceAll(",", "")
}"""  # as the page tells them


@contextmanager
def server() -> Iterator[str]:
    """Run the app on a free port of this machine alone; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    options = ["--server.address", "127.0.0.1", "--server.port", str(port)]
    with tempfile.TemporaryDirectory() as runs:
        running = subprocess.Popen(
            command + options, cwd=ROOT, env={**os.environ, "GLASSBOX_RUNS": runs}
        )
        try:
            wait_for(f"{address}/ready", running)
            yield address
        finally:
            running.terminate()
            running.wait()


def wait_for(url: str, running: subprocess.Popen[bytes]) -> None:
    """Ask until the answer is 200.

    Raises: TimeoutError when it never is, or the server has ended.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and running.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    raise TimeoutError(f"{url} was not ready within {PATIENCE:g} seconds")


def main() -> None:
    """Start a run in the first panel, watch it for a while, and keep what is on the screen."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)  # None: Playwright's own
    with server() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        window = browser.new_page(viewport={"width": 1440, "height": 900})
        window.goto(f"{address}/train_cnn")
        window.get_by_role("button", name="Start", exact=True).click()
        window.wait_for_function(STEPS_DONE, arg=TRAINED, timeout=LONGEST * 1000)
        content = window.screenshot()
        browser.close()
    if len(content) > LARGEST:
        sys.exit(f"The picture has {len(content):,} bytes, more than {LARGEST:,}: not kept.")
    PICTURE.write_bytes(content)
    print(f"{PICTURE.relative_to(ROOT)}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
