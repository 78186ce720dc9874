"""Make assets/photographs from their originals: smaller, as JPEG, without notes.

python -m bench.photographs FOLDER      where scikit-image's and scikit-learn's originals lie
"""

import hashlib
import sys
from pathlib import Path

from PIL import Image

from core.shared.photographs import FOLDER, photographs

# The originals: skimage/data in the wheel of scikit-image 0.26.0, and
# sklearn/datasets/images in that of scikit-learn 1.9.1.
ORIGINALS = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "hubble": "hubble_deep_field.jpg",
    "palace": "china.jpg",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}
LONGEST = 640  # pixels
QUALITY = 90
LARGEST = 700_000  # bytes of all together, as every clone carries them


def main() -> None:
    """Write each photograph, and print the sums for assets/SOURCES.md."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    originals, total = Path(sys.argv[1]), 0
    FOLDER.mkdir(exist_ok=True)
    for each in photographs():
        place = FOLDER / f"{each.name}.jpg"
        with Image.open(originals / ORIGINALS[each.name]) as original:
            small = original.copy()
        small.info.clear()  # no colour profile, no notes
        small.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        small.save(place, quality=QUALITY, optimize=True)
        content = place.read_bytes()
        total += len(content)
        print(f"{place.name:<16} {len(content):>8,} bytes  {hashlib.sha256(content).hexdigest()}")
    if total > LARGEST:
        sys.exit(f"The photographs have {total:,} bytes, more than {LARGEST:,}.")
    print(f"{total:,} bytes together")


if __name__ == "__main__":
    main()
