"""Benches: fastrnn beside its NumPy twin and the other libraries that can run the same layer."""
