"""Makes `_static/experiments/NAME-FIGURE.png` of the folders that `splinescope reproduce` left, small enough for pages.

splinescope reproduce grokking --preset paper --data mnist
python docs/experiment_pictures.py reproduce/grokking
python docs/experiment_pictures.py --variant resnet20 reproduce/class-connectivity   # NAME-VARIANT-FIGURE.png
"""

import argparse
import json
from pathlib import Path

from PIL import Image

WIDTH = 1400
HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--variant", help="a word for names of pictures of a run with other settings")
    options = parser.parse_args()
    target = HERE / "_static" / "experiments"
    target.mkdir(parents=True, exist_ok=True)
    for folder in options.folders:
        summary = json.loads((folder / "summary.json").read_text())
        for figure in summary["files"]["figures"]:
            if figure.endswith(".png"):
                picture = Image.open(folder / figure).convert("RGB")
                small = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
                colors = small.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
                path = target / "-".join(filter(None, (summary["name"], options.variant, figure)))
                colors.save(path, optimize=True)
                print(f"{path.relative_to(HERE.parent)}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
