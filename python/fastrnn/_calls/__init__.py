"""The functions on one layer and direction: kinds of cells, their checks, tapes and calls."""
