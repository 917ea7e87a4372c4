"""Does it reach its figures? One bench a task, run by hand, each with one JSON result.

Many run an experiment of examples/ at its full length; its scripts are found as Python finds them,
beside each other.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
