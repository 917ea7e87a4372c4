"""``fastrnn demo``: the main job, its text, its training, and how that is shown."""
