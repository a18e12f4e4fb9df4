"""One model's forward pass over a KV cache with a slot for each row."""
