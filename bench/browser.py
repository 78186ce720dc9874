"""A server of our own and a headless Chromium, for what is measured, pictured or tested in both."""

import json
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
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

__all__ = [
    "DRAWN",
    "NEXT_STEP",
    "ROOT",
    "SCREEN",
    "STEP",
    "Server",
    "chromium",
    "cpu_seconds",
    "settle",
    "with_profile",
]

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
PATIENCE = 120.0  # seconds for the server to be ready
DRAWN = (
    "[data-testid=stApp][data-test-connection-state=CONNECTED][data-test-script-state=notRunning]"
)
# A screen lives in a shadow root, where a page's own selectors do not reach.
SCREEN = """(() => {
  const inside = node => [...node.querySelectorAll('*')].map(e => e.shadowRoot).find(Boolean)
  return inside(document.querySelector('[class*=_screen]')).querySelector('.screen')
})()"""
STEP = f"(+{SCREEN}.querySelector('.figures b').textContent.split(' ')[0].replaceAll(',', ''))"
NEXT_STEP = f"""() => new Promise(done => {{
  const first = {STEP}
  const end = performance.now() + 10000
  const look = () => {{
    const now = performance.now()
    if ({STEP} > first || now > end) done([{STEP}, now]); else setTimeout(look, 5)
  }}
  look()
}})"""  # just when the page shows a new step, so that both ends are cut alike


class Server:
    """`streamlit run SCRIPT` on a free port of this machine alone, until it is closed."""

    def __init__(self, script: str = "app.py", health: str = "/ready") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self.health = f"http://127.0.0.1:{port}", health
        self._folder = tempfile.TemporaryDirectory(prefix="glassbox-")
        self.runs = Path(self._folder.name)
        options = ["--server.address=127.0.0.1", f"--server.port={port}", "--server.headless=true"]
        self._command = [sys.executable, "-m", "streamlit", "run", script, *options]
        self.start()

    def start(self) -> None:
        """Start it, also again after its end: the same address, the same runs."""
        self.process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env={**os.environ, "GLASSBOX_RUNS": str(self.runs)},
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("GLASSBOX_LOUD") else subprocess.DEVNULL,
        )
        self.ready()

    def ready(self) -> Any:
        """Wait for the health route; gives what it says.

        Raises: TimeoutError when it never answers 200, or the server has ended.
        """
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url + self.health, timeout=5) as answer:
                    told = answer.read()
                    return json.loads(told) if told[:1] == b"{" else told
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                time.sleep(0.1)
        raise TimeoutError(f"{self.url}{self.health} was not ready within {PATIENCE:g} s")

    def close(self) -> None:
        """End the server and throw its runs away."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Open a headless Chromium: the machine's, else Playwright's own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_found(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def with_profile(browser: Browser) -> Iterator[BrowserContext]:
    """Open another Chromium, with a profile: only there compiled scripts are kept."""
    with tempfile.TemporaryDirectory(prefix="glassbox-") as folder:
        context = browser.browser_type.launch_persistent_context(
            folder, executable_path=_found(), args=list(FLAGS)
        )
        try:
            yield context
        finally:
            context.close()


def _found() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def settle(page: Page) -> None:
    """Wait until the page has been drawn once and nothing on it is still to come."""
    page.wait_for_selector(DRAWN, timeout=60_000)
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")


def cpu_seconds(process: int) -> float:
    """Add up the processor time that a process and its living descendants have taken (Linux)."""
    children: dict[int, list[int]] = {}
    taken: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(folder.name))
        taken[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    total, left = 0.0, [process]
    while left:
        one = left.pop()
        total += taken.get(one, 0.0)
        left += children.get(one, [])
    return total
