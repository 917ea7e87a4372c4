"""The layers: weights by name, stacks of directions, and what others need of them."""
