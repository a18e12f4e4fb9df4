"""One model's forward pass over a cache with a slot for each row."""
