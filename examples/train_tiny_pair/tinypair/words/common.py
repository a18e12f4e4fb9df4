"""Everyday words that prompts are about: adjectives, and nouns with a regular plural."""

from __future__ import annotations

from tinypair.text import words

ADJECTIVES = words("""
    old, new, red, green, blue, golden, silver, tiny, giant, little, broken, hidden, lost, secret, silent, noisy, wild, gentle, brave,
    lazy, clever, foolish, hungry, sleepy, happy, lonely, proud, shy, angry, polite, wooden, paper, glass, stone, iron, copper, velvet,
    frozen, burning, dusty, muddy, rusty, shiny, bright, dark, cold, warm, hot, dry, wet, soft, hard, smooth, rough, round, square, flat,
    crooked, narrow, wide, deep, high, long, short, heavy, light, cheap, rare, strange, funny, clumsy, elegant, modern, ancient, royal,
    magic, flying, dancing, singing, talking, running, sleeping, travelling, northern, southern, local, foreign, famous, forgotten,
    painted, striped, spotted, curly, invisible, electric, mechanical, musical, salty, sweet, sour, bitter, spicy, fresh, rotten, empty,
    full, open, closed, early, late, quick, slow, quiet, loud, young, purple, orange, yellow, white, black, grey, pink, plain, fancy""")
NOUNS = words("""
    apple, arrow, axe, bag, ball, balloon, banana, barn, barrel, basket, bath, beach, bead, bean, bed, bee, beetle, bell, belt, bicycle,
    bird, biscuit, blanket, boat, bone, book, boot, bottle, bow, bowl, bread roll, brick, bridge, broom, brush, bucket, button, cabin,
    cactus plant, cake, camel, camera, canal, candle, cannon, canoe, cape, car, card, carpet, carrot, cart, castle, cat, cave, chain,
    chair, chalk board, cheese wheel, chess piece, chimney, circle, clock, cloud, clown, coat, coin, comb, comet, cookie, corner, cottage,
    crane, crayon, crow, crown, cup, curtain, cushion, deer track, desert, diamond, dinner, doctor, dog, doll, door, dragon, drawer,
    dream, dress, drum, duck, eagle, ear, earring, egg, elephant, engine, envelope, farm, feather, fence, ferry boat, field, film,
    finger, fire, flag, flame, flower, flute, fog horn, forest, fork, fountain, frog, garage, garden, gate, ghost, giraffe, glove, goat,
    grape, guitar, hammer, hammock, hand, harbour, harp, hat, hedge, helmet, hen, hill, hole, honey pot, hook, horn, horse, hotel,
    hour, house, igloo, insect, island, jacket, jar, jewel, jug, jungle, kettle, key, king, kitchen, kite, knot, ladder, lake, lamp,
    lantern, leaf print, lemon, letter, light, lion, lizard, lock, magnet, map, market, mask, meadow, melon, mill, mirror, monkey, moon,
    motor, mountain, mug, museum, mushroom, nail, neck tie, needle, nest, net, newspaper, night, notebook, nut, oak, ocean, onion, orchard,
    oven, owl, pancake, panda, parade, park, parrot, path, peach tree, pear, pebble, pen, pencil, penguin, piano, picnic, picture, pie,
    pigeon, pillow, pipe, pirate, plate, pocket, pond, potato peeler, pot, prince, pumpkin, puppet, purse, puzzle, queen, rabbit,
    radio, raft, rainbow, ribbon, ring, river, road, robot, rocket, roof, room, root, rope, rose, rug, sailor, sandal, sandwich maker,
    scarecrow, school, screw, seed, shadow, shell, shield, ship, shirt, shoe, shop, shovel, sign, skirt, sledge, snail, snowman hat, sock,
    sofa, song, soup bowl, spider, spoon, squirrel, stable, stamp, star, station, statue, step, stone, stool, storm, stove, stream,
    street, string, suitcase, swan, sweater, sword, table, tail, tape, teacher, teapot, telescope, tent, theatre, thread, throne,
    thumb, ticket, tiger, tomato plant, tool, tower, town, toy, tractor, train, tray, treasure, tree, trumpet, tunnel, turnip, turtle,
    umbrella, uncle, valley, vase, vegetable, village, violin, volcano, wagon, wall, wardrobe, wave, well, whale, wheel, whistle, window,
    wing, winter, witch hat, wizard, worm, yacht, zebra, zoo""")
RELATIONS = words("""
    aunt, uncle, brother, sister, friend, teacher, neighbour, cousin, boss, niece, nephew, colleague, daughter, son, mother, father""")
