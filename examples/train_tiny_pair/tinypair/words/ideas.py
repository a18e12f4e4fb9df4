"""Topics for short lists, with the things that may stand in them."""

from __future__ import annotations

from tinypair.text import words

IDEAS: dict[str, tuple[str, ...]] = {
    "a birthday party": words("""
        a treasure hunt, a costume contest, a pizza workshop, a garden disco, a magic show, a picnic in the park, a
        karaoke night, a board game evening, a pottery class, a film marathon, a boat trip, a quiz"""),
    "a rainy weekend": words("""
        bake a cake, build a blanket fort, visit a museum, read a long novel, learn a card trick, cook a new soup,
        paint a picture, write letters, watch an old film, sort the photos, play chess, go swimming"""),
    "relaxing after work": words("""
        take a hot bath, walk by the river, listen to jazz, stretch for ten minutes, drink herbal tea, call a friend,
        water the plants, light a candle, read poetry, cook slowly, nap on the sofa, play the piano"""),
    "a school project": words("""
        a model volcano, a paper bridge, a weather diary, a seed experiment, a solar oven, a water filter, a family
        tree, a bird map, a puppet play, a history poster, a string telephone, a rock collection"""),
    "saving money": words("""
        cook at home, cancel old subscriptions, cycle to work, buy second-hand clothes, borrow library books, plan
        the meals, fix things yourself, turn down the heating, take packed lunches, share a car, grow some herbs, set
        a budget"""),
    "decorating a room": words("""
        hang a mirror, paint one wall, add a warm lamp, frame old maps, buy a big plant, lay a wool rug, put up
        shelves, string fairy lights, change the curtains, display postcards, add cushions, hang a hammock"""),
    "a first date": words("""
        visit a night market, go bowling, see a comedy show, walk in the park, share a dessert, row on the lake,
        visit a gallery, cook together, watch the stars, play mini golf, go to a concert, feed the ducks"""),
    "a blog": words("""
        forgotten recipes, night trains, urban gardening, family stories, cheap travel, old tools, local birds, slow
        mornings, odd museums, learning to draw, small libraries, wild swimming"""),
    "packing for a trip": words("""
        a warm jumper, a paperback, a phone charger, a sun hat, walking shoes, a small towel, a rain coat, a
        toothbrush, a pack of cards, a water bottle, a notebook, a swimsuit"""),
    "being kind": words("""
        bake for a neighbour, write a thank-you note, hold the door, visit an old friend, share your lunch, give up
        your seat, pick up litter, praise a colleague, lend a book, feed the birds, call your mother, help a tourist"""),
    "a garden": words(
        "lavender, tomatoes, sunflowers, mint, strawberries, roses, runner beans, pumpkins, foxgloves, rosemary, an apple tree, sweet peas"
    ),
    "a team lunch": words("""
        a taco bar, a picnic, a soup day, a sushi platter, homemade pizza, a curry house, a salad buffet, a barbecue,
        a food truck, a dumpling place, a pasta bar, a falafel stand"""),
}
