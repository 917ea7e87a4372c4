"""Toy data for the experiments: generators of tasks whose right answers and bounds are known."""
