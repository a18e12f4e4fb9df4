"""Topics of opinion and reasons; random picks."""

from __future__ import annotations

from tinypair.text import words

TOPICS_MANY = words("""
    rainy days, cats, board games, night trains, long walks, old books, museums, musicals, robots, puzzles,
    road trips, surprise parties, early mornings, houseplants, love letters, ghost stories, big cities,
    small towns, handwritten notes, public libraries, snowy mornings, video games, picnics, tattoos,
    street markets, bicycles, slow dances, crossword puzzles, open fires, family dinners""")
TOPICS_ONE = words("""
    pineapple on pizza, poetry, camping, jazz, opera, black coffee, winter, modern art, gardening, karaoke,
    swimming in the sea, cooking, chess, silence, astronomy, homework, football, chocolate, garlic,
    fresh bread, public transport, dancing, knitting, cold weather, spicy food, autumn, fishing, theatre""")
VERDICTS = words("""
    wonderful, underrated, charming, relaxing, delightful, overrated, a small joy, better than people say,
    worth the trouble, inspiring, a matter of taste, comforting, good for the soul, great fun, beautiful,
    hard to beat""")
REASONS_MANY = words("""
    they bring people together, they slow the day down, they make good memories, they are full of surprises,
    they cost almost nothing, they feel honest, they wake up the imagination, they never get boring,
    they remind me of childhood, they calm the mind, they give you stories to tell, they make the world bigger,
    they teach patience, they make people smile""")
REASONS_ONE = words("""
    it brings people together, it slows the day down, it makes good memories, it is full of surprises,
    it costs almost nothing, it feels honest, it wakes up the imagination, it never gets boring,
    it reminds me of childhood, it calms the mind, it gives you stories to tell, it makes the world bigger,
    it teaches patience, it makes people smile""")
COLOURS = words("blue, green, red, yellow, purple, orange, teal, pink, crimson, silver, gold, brown, white, black, turquoise, violet")
SUITS = words("hearts, spades, diamonds, clubs")
RANKS = words("ace, king, queen, jack, ten, nine, eight, seven, six, five, four, three, two")
FRUITS = words("mango, apple, banana, peach, cherry, pear, plum, fig, kiwi, grape, lemon, melon, apricot, papaya")
LETTERS = tuple("KQMZBRTAGPXEHLSWNDFCJUVYIO")
MONTHS = words("May, October, June, April, September, March, July, August, January, February, November, December")
DAYS = words("Wednesday, Friday, Saturday, Sunday, Tuesday, Thursday, Monday")
