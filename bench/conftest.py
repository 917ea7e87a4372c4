"""Lets benches be run from anywhere: the folder above this one must be importable."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
sys.path[:0] = [ROOT] if ROOT not in sys.path else []
