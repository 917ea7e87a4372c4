"""The kinds of files that ``fastrnn train`` learns from."""
