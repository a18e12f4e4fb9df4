"""Topics of opinion and reasons; random picks."""

from __future__ import annotations

from tinypair.text import words

TOPICS_MANY = words("""
    rainy days, cats, board games, night trains, long walks, old books, museums, musicals, robots, puzzles,
    road trips, surprise parties, early mornings, houseplants, love letters, ghost stories, big cities,
    small towns, handwritten notes, public libraries, snowy mornings, video games, picnics, tattoos,
    street markets, bicycles, slow dances, crossword puzzles, open fires, family dinners, lighthouses, wool socks,
    fountain pens, puppet shows, cold showers, boat trips, school plays, dinosaurs, magic tricks, long novels,
    garden gnomes, cable cars, old films, snowmen, tree houses, flea markets, birthday cakes, guitars, comic books,
    railway stations, paper planes, umbrellas, hot baths, group photos, postcards, card games, night walks,
    rocking chairs, marathons, hammocks, fireworks, hedgehogs, farm animals, city parks""")
TOPICS_ONE = words("""
    pineapple on pizza, poetry, camping, jazz, opera, black coffee, winter, modern art, gardening, karaoke,
    swimming in the sea, cooking, chess, silence, astronomy, homework, football, chocolate, garlic,
    fresh bread, public transport, dancing, knitting, cold weather, spicy food, autumn, fishing, theatre, yoga,
    ballet, blue cheese, archery, rugby, cycling to work, green tea, liquorice, hiking, small talk, golf, sailing,
    dark chocolate, folk music, skiing, street art, baking, pottery, early retirement, gossip, rain, moonlight,
    slow food, journaling, mushroom soup, the radio, minimalism, ice hockey, tap water, spring, fog, the tuba""")
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
COLOURS = words("""
    blue, green, red, yellow, purple, orange, teal, pink, crimson, silver, gold, brown, white, black, turquoise, violet,
    beige, indigo, olive, grey, scarlet, amber, lilac, ivory, maroon, navy, mint, peach""")
SUITS = words("hearts, spades, diamonds, clubs")
RANKS = words("ace, king, queen, jack, ten, nine, eight, seven, six, five, four, three, two")
FRUITS = words("""
    mango, apple, banana, peach, cherry, pear, plum, fig, kiwi, grape, lemon, melon, apricot, papaya, orange, lime,
    quince, guava, raspberry, strawberry, blueberry, pineapple, coconut, pomegranate, nectarine, date""")
ANIMALS = words("""
    fox, owl, dolphin, tiger, elephant, wolf, penguin, rabbit, eagle, horse, otter, bear, giraffe, koala, lion, panda,
    whale, zebra, swan, turtle, raccoon, badger, camel, deer, falcon, gorilla, hare, lynx, moose, seal""")
LETTERS = tuple("KQMZBRTAGPXEHLSWNDFCJUVYIO")
MONTHS = words("May, October, June, April, September, March, July, August, January, February, November, December")
PURPOSES = words("""
    the raffle, my jersey, the quiz, the board game, my locker, the school play, the team flag, the lottery, my password hint,
    the magic trick, the treasure hunt, the party, the draw, my new bike, the story, the bingo, the poster, the test page,
    my desk, the bet, the house number, the secret code, the song, the science fair, the crossword, the race, the badge,
    the cake, the puzzle, my tattoo, the parade, the book cover, the costume, the map, the museum ticket, the tournament,
    the club, the wristband, the menu, the kite, the stage, the ship, the show, the garden gate, the mug, the calendar""")
