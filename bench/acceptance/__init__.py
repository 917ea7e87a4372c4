"""Does it reach its figures? One bench a task, run by hand, each with one JSON result."""
