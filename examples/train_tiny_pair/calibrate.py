"""Measure the embedded pair's calibration maps, from a target share of base tokens to a threshold, for every built-in router that has one.

Run ``python examples/train_tiny_pair/calibrate.py --pair FOLDER``. It needs `baco` itself, and writes calibration.json beside the weights.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from baco import Engine, ModelPair, Router
from baco.routing.calibration import map_key
from baco.routing.registry import KINDS


def main() -> None:
    """Measure every map for the default prompts, probe and word rule."""
    parser = argparse.ArgumentParser(description="Calibrate the embedded base/aligned pair.")
    parser.add_argument("--pair", type=Path, required=True, help="folder with base/ and aligned/")
    folder = parser.parse_args().pair
    engine = Engine(ModelPair.from_pretrained(base=str(folder / "base"), aligned=str(folder / "aligned")))
    routers = [Router(name) for name, kind in KINDS.items() if kind.threshold_range is not None]
    table = {map_key(router, "transcript"): asdict(engine.calibrate(router)) for router in routers}
    (folder / "calibration.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
