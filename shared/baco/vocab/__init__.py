"""What single tokens are: their text, their class, and whether two vocabularies agree."""
