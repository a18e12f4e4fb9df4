"""Word lists of the miniature world: plain data, one subject a file."""
