"""Which pair, how it loads, and what it takes in memory."""
