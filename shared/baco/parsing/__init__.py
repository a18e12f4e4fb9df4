"""What model families write around an answer: reasoning and tool calls."""
