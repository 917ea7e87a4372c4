"""What dialogue models are made of: turns, contexts, segments and the codes of turns."""
