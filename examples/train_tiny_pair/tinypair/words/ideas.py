"""Topics for short lists, with the things that may stand in them."""

from __future__ import annotations

from tinypair.text import words

IDEAS: dict[str, tuple[str, ...]] = {
    "a birthday party": words("""
        a treasure hunt, a costume contest, a pizza workshop, a garden disco, a magic show, a picnic in the
        park, a karaoke night, a board game evening, a pottery class, a film marathon, a boat trip, a quiz, a
        dance lesson, a barbecue, a bonfire, a trip to the zoo, a tea party, a puppet theatre, a bowling
        evening, a sleepover, a talent show, a kite race"""),
    "a rainy weekend": words("""
        bake a cake, build a blanket fort, visit a museum, read a long novel, learn a card trick, cook a new
        soup, paint a picture, write letters, watch an old film, sort the photos, play chess, go swimming,
        knit a scarf, make pancakes, play cards, tidy the attic, bake bread, call an old friend, start a
        diary, fold paper animals, take a long bath, learn a song"""),
    "relaxing after work": words("""
        take a hot bath, walk by the river, listen to jazz, stretch for ten minutes, drink herbal tea, call a
        friend, water the plants, light a candle, read poetry, cook slowly, nap on the sofa, play the piano,
        pet the cat, bake bread, draw the view, do yoga, swim a few lengths, knit a row, hum a song, sit in
        the garden, watch the clouds, solve a crossword"""),
    "a school project": words("""
        a model volcano, a paper bridge, a weather diary, a seed experiment, a solar oven, a water filter, a
        family tree, a bird map, a puppet play, a history poster, a string telephone, a rock collection, a
        wind turbine, a balloon car, an ant farm, a sundial, a pinhole camera, a comic strip, a class
        newspaper, a clay city, a star map, a herb garden"""),
    "saving money": words("""
        cook at home, cancel old subscriptions, cycle to work, buy second-hand clothes, borrow library books,
        plan the meals, fix things yourself, turn down the heating, take packed lunches, share a car, grow
        some herbs, set a budget, sell old toys, brew your own coffee, swap clothes, mend socks, skip the
        taxi, compare prices, bake bread, drink tap water, share a garden, wait a week"""),
    "decorating a room": words("""
        hang a mirror, paint one wall, add a warm lamp, frame old maps, buy a big plant, lay a wool rug, put
        up shelves, string fairy lights, change the curtains, display postcards, add cushions, hang a hammock,
        press some flowers, hang a star map, paint the door, fill a bookshelf, add a round rug, place a vase,
        show your stones, hang a kite, stencil a border, light some candles"""),
    "a first date": words("""
        visit a night market, go bowling, see a comedy show, walk in the park, share a dessert, row on the
        lake, visit a gallery, cook together, watch the stars, play mini golf, go to a concert, feed the
        ducks, drink hot chocolate, take a boat trip, go to the zoo, fly a kite, ride bikes, pick apples, try
        ice skating, see an old film, taste cheese, climb a tower"""),
    "a blog": words("""
        forgotten recipes, night trains, urban gardening, family stories, cheap travel, old tools, local
        birds, slow mornings, odd museums, learning to draw, small libraries, wild swimming, garden birds,
        paper crafts, train stations, bread baking, lost words, rainy walks, cheap lunches, village fairs,
        second-hand books, night skies"""),
    "packing for a trip": words("""
        a warm jumper, a paperback, a phone charger, a sun hat, walking shoes, a small towel, a rain coat, a
        toothbrush, a pack of cards, a water bottle, a notebook, a swimsuit, a pocket knife, an umbrella, a
        torch, sun cream, a map, warm socks, a pillow, a camera, earplugs, a snack"""),
    "being kind": words("""
        bake for a neighbour, write a thank-you note, hold the door, visit an old friend, share your lunch,
        give up your seat, pick up litter, praise a colleague, lend a book, feed the birds, call your mother,
        help a tourist, water the plants, listen well, share an umbrella, send a postcard, carry a bag, tell a
        joke, cook for a friend, smile at strangers, offer a lift, say thank you"""),
    "a garden": words("""
        lavender, tomatoes, sunflowers, mint, strawberries, roses, runner beans, pumpkins, foxgloves,
        rosemary, an apple tree, sweet peas, carrots, tulips, peas, basil, sage, daffodils, lettuce, a pear
        tree, raspberries, ivy"""),
    "a team lunch": words("""
        a taco bar, a picnic, a soup day, a sushi platter, homemade pizza, a curry house, a salad buffet, a
        barbecue, a food truck, a dumpling place, a pasta bar, a falafel stand, a noodle bar, a pancake place,
        a fish market, a rooftop grill, a burger stand, a bakery, a tapas bar, a vegan buffet, a sandwich
        shop, a pizza oven"""),
}
