"""From logits to tokens and routing decisions, in tensors alone."""
