"""Options that commands share, and commands that are little more than their options."""
