"""Messages become token ids, and token ids become text."""
