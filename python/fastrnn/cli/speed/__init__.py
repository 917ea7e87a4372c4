"""The speed table: fastrnn and its peers side by side."""
