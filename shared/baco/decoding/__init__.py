"""The decode loop: rows of token ids, speculation, and whose forward pass comes next."""
