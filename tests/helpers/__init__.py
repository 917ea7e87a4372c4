"""What several test files share: cases, tolerances, twins, models, processes, source files."""
