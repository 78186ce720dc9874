"""Take the README's picture: `python -m bench.picture` trains LeNet-5 in a browser and looks."""

import sys

from bench.browser import ROOT, STEP, Server, chromium, settle

PICTURE = ROOT / "assets" / "picture.png"
LARGEST = 400_000  # bytes, as every clone carries it
TRAINED = 1200  # steps that are done in the picture
LONGEST = 300_000  # milliseconds until then


def main() -> None:
    """Start a run in the first panel, watch it for a while, and keep what is on the screen."""
    server = Server()
    try:
        with chromium() as browser:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{server.url}/train_cnn")
            settle(page)
            page.get_by_role("button", name="Start", exact=True).click()
            page.wait_for_function(f"() => {STEP} > {TRAINED}", timeout=LONGEST)
            content = page.screenshot()
    finally:
        server.close()
    if len(content) > LARGEST:
        sys.exit(f"The picture has {len(content):,} bytes, more than {LARGEST:,}: not kept.")
    PICTURE.write_bytes(content)
    print(f"{PICTURE.relative_to(ROOT)}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
