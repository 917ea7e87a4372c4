"""``python -m fastrnn`` is ``fastrnn``, for when the program is not on the path."""

import sys

from fastrnn.cli import main

if __name__ == "__main__":
    sys.exit(main())
