"""The decode loop: rows of token ids, speculation, and which model runs next."""
