"""Places, dinners and hobbies, by what is asked for."""

from __future__ import annotations

from tinypair.text import words

PLACES: dict[str, tuple[str, ...]] = {
    "by the sea": words("Lisbon, Nice, Brighton, Split, Naples, Cadiz, Bergen, Malta, Porto, Cape Town, Sydney, Bari"),
    "in the mountains": words(
        "Zermatt, Chamonix, Banff, Cusco, Innsbruck, Bled, Grindelwald, Kathmandu, Zakopane, Aspen, Queenstown, Bansko"
    ),
    "with great museums": words("Paris, Vienna, Madrid, Florence, London, Berlin, Amsterdam, Cairo, Chicago, Prague, Boston, Rome"),
    "for food": words("Bologna, Lyon, Osaka, Bangkok, Istanbul, Oaxaca, Hanoi, San Sebastian, Palermo, Penang, Lima, Seoul"),
    "in winter": words("Tromso, Quebec, Salzburg, Sapporo, Tallinn, Rovaniemi, Krakow, Reykjavik, Bruges, Oslo, Riga, Munich"),
    "with children": words(
        "Copenhagen, Orlando, Edinburgh, Singapore, Valencia, Gothenburg, San Diego, Dubai, Barcelona, Auckland, Bath, York"
    ),
    "for quiet walks": words("Kyoto, Hallstatt, Sintra, Ghent, Ljubljana, Galway, Oxford, Bruges, Lucca, Delft, Bergen, Sligo"),
    "on an island": words("Madeira, Crete, Bali, Iceland, Sicily, Zanzibar, Corfu, Jersey, Skye, Menorca, Tasmania, Hawaii"),
}
PLACE_DOINGS: dict[str, tuple[str, ...]] = {
    "by the sea": words("swim before breakfast, watch the boats, eat grilled fish, walk along the beach, ride an old tram, collect shells"),
    "in the mountains": words(
        "hike above the clouds, ride a cable car, swim in cold lakes, eat melted cheese, watch the stars, ski all day"
    ),
    "with great museums": words(
        "see famous paintings, get lost in old galleries, sketch the statues, join a night tour, visit a palace, rest in quiet courtyards"
    ),
    "for food": words(
        "eat at the market, try street noodles, taste fresh pasta, take a cooking class, drink strong coffee, share small plates"
    ),
    "in winter": words(
        "see the northern lights, skate on a pond, drink hot chocolate, visit a snowy market, ride a sledge, warm up in a sauna"
    ),
    "with children": words(
        "ride a big wheel, feed the penguins, visit a puppet show, build sand castles, climb an old tower, see the tall ships"
    ),
    "for quiet walks": words(
        "follow the canal, sit in a moss garden, cross small bridges, listen to church bells, read under a tree, feed the ducks"
    ),
    "on an island": words(
        "rent a scooter, swim in clear water, climb a sleepy volcano, pick fresh lemons, watch the sunset, visit a tiny harbour"
    ),
}
DINNERS: dict[str, tuple[str, ...]] = {
    "vegetarian": words("""
        mushroom risotto, lentil curry, spinach lasagne, bean chilli, stuffed peppers, vegetable paella, pumpkin
        soup, aubergine bake, chickpea stew, tomato tart"""),
    "quick": words("""
        fried rice, pasta with pesto, a cheese omelette, beans on toast, noodle soup, a tuna salad, garlic spaghetti,
        egg fried noodles, a toasted wrap, couscous salad"""),
    "spicy": words("""
        green curry, beef vindaloo, kimchi stew, jerk chicken, chilli con carne, mapo tofu, hot ramen, shrimp tacos,
        lamb madras, pepper soup"""),
    "cheap": words("""
        potato soup, red lentil dal, egg fried rice, bean stew, cabbage rolls, onion tart, pea soup, baked potatoes,
        rice and beans, carrot curry"""),
    "cosy": words("""
        beef stew, shepherd's pie, chicken soup, macaroni cheese, onion soup, roast chicken, potato gratin, fish pie,
        dumplings in broth, barley soup"""),
    "light": words("""
        grilled fish, tomato salad, miso soup, rice paper rolls, cucumber soup, prawn salad, steamed greens, lemon
        chicken, a poke bowl, melon and ham"""),
    "festive": words("""
        roast goose, salmon in pastry, beef wellington, nut roast, glazed ham, lobster pasta, duck with plums,
        seafood paella, stuffed turkey, lamb with herbs"""),
    "family": words("""
        fish fingers, homemade pizza, meatballs, chicken pie, spaghetti bolognese, pancakes, cheese toasties, sausage
        and mash, mild curry, burgers"""),
}
SIDES = words("""
    a green salad, warm bread, roast carrots, lemon rice, garlic potatoes, steamed beans, fresh herbs,
    a yoghurt sauce, pickled onions, buttered peas, a glass of cider, toasted seeds""")
HOBBIES: dict[str, tuple[str, ...]] = {
    "outdoor": words("""
        bird watching, rock climbing, kayaking, orienteering, wild swimming, archery, sailing, trail running,
        beekeeping, kite flying, horse riding, geocaching"""),
    "quiet": words("""
        calligraphy, knitting, origami, stamp collecting, jigsaw puzzles, embroidery, sketching, bookbinding,
        crosswords, model building, reading poetry, candle making"""),
    "creative": words("""
        pottery, watercolour painting, songwriting, linocut printing, woodcarving, jewellery making, weaving,
        photography, sculpture, glass painting, mosaic, quilting"""),
    "sociable": words("""
        choir singing, board games, salsa dancing, amateur theatre, volleyball, a quiz team, a book club, improv
        comedy, curling, pottery classes, team rowing, a film club"""),
    "cheap": words("""
        whittling, juggling, running, drawing, stargazing, whistling, yoga at home, card tricks, baking bread, letter
        writing, foraging, learning chess"""),
    "active": words(
        "fencing, judo, badminton, tap dancing, boxing, squash, gymnastics, skating, parkour, cycling, table tennis, hula hooping"
    ),
    "winter": words("""
        ice skating, bread baking, cross-country skiing, quilting, snowshoeing, soap making, winter swimming, board
        games, playing the ukulele, crochet, curling, puzzle making"""),
    "musical": words("""
        playing the cello, drumming, singing jazz, playing the banjo, beat making, bell ringing, playing the flute,
        playing the harp, whistling, playing the accordion, playing the piano, folk singing"""),
}
HOBBY_GOOD = words("""
    relaxing, cheerful, good for the mind, easy to start, great fun, soothing, full of surprises,
    satisfying, kind to your budget, healthy""")
