"""Pieces of stories: themes, heroes, times, objects, endings."""

from __future__ import annotations

from tinypair.text import words

THEMES = words("""
    a lighthouse, a garden, a library, a forest, a bridge, a castle, a market, an island, a harbour, a windmill,
    an attic, a cave, an orchard, a museum, a station, a river, a mountain, a theatre, a desert, a glacier, a volcano,
    a dragon, a fox, a whale, a wolf, a giant, a mermaid, a crow, a bear, a robot, a ghost, a cat, a tiger, a witch,
    a wizard, a spider, a horse, an owl, a swan, a mouse, a pirate, an elephant, a unicorn, a snail, a penguin,
    a clock, a key, a violin, a lantern, a map, a kite, a letter, a mirror, a teapot, a bicycle, a compass, a boat,
    a piano, a suitcase, a telescope, a painting, a crown, a button, a pumpkin, a drum, a bottle, a puppet, a comet,
    the storm, the fog, the snow, the rain, the wind, the flood, the thunder, the darkness, the frost, the sunrise,
    the moon, the tide, the harvest, the eclipse, the first day of school, the last train, the lost city, the silent bell,
    a rainbow, a ladder, a treasure, a well, a tower, a shadow, a promise, a wedding, a race, a dream, a feast""")
TIMES = words("""
    winter, night, morning, summer, evening, autumn, spring, Sunday, afternoon, Friday, day, midnight,
    weekend, December, May""")
HEROES = words("""
    an old sailor, a shy baker, a young clockmaker, a retired teacher, a lonely postman, a brave girl,
    a tired doctor, a curious boy, a clumsy knight, a street musician, a quiet librarian, a lost tourist,
    a poor fisherman, a proud queen, a night nurse, a small thief, a kind farmer, a blind painter,
    a travelling cook, a stubborn gardener, a young pilot, a sleepy guard, a famous singer, a little orphan,
    a train driver, a deaf composer, a bored prince, a widowed tailor, a careful spy, a cheerful plumber""")
OBJECTS = words("""
    a silver whistle, a torn map, a box of letters, a golden feather, a broken compass, a singing shell,
    a rusty key, a tiny door, a jar of stars, a red umbrella, a wooden horse, a blue candle, a cracked mirror,
    a forgotten song, a paper crown, a sleeping child, a bag of seeds, a glass bird, an empty cradle,
    a secret ladder, a warm lantern, a stolen ring, a talking clock, a pair of boots, a loaf of bread,
    a pile of coins, a black pearl, a lost dog, a music box, a copper bell""")
POWERS = words("""
    stop time, speak every language, find lost things, bring back the dead leaves, make rain, hum old songs,
    show the truth, open any door, heal a broken heart, remember every name, glow in the dark, grant one wish,
    call the birds, turn sadness into light, predict the weather, hide a whole house""")
DREAMS = words("""
    learning to dance, seeing the sea, becoming a baker, flying to the moon, reading every book,
    finding a friend, singing on a stage, sleeping in a real bed, counting the stars, growing wings,
    opening a tea shop, painting the sky, going to school, crossing the desert, winning a race""")
MIDDLES = words("""
    Nobody believed it at first., The neighbours only laughed., A cold wind closed the door.,
    It took courage to stay., The moon watched in silence., Somewhere a bell began to ring.,
    There was no time to think., Everyone held their breath., A stranger offered to help.,
    The road home was gone., Even the birds went quiet., Hours went by like minutes.""")
ENDINGS = words("""
    By morning the whole town was singing., Nothing was ever the same again., In the end hope came back.,
    After that nobody slept alone., The next day the sea gave back what it had taken.,
    At last there was peace in the valley., Years later children still told the tale.,
    From then on the door stayed open., Soon a new friend knocked at the window.,
    And that is how the village got its name., When the sun rose the fear was gone.,
    Before long there was music in every street., At dawn a letter arrived., It was the start of a long friendship.,
    The secret was safe for another year., In return the stars came a little closer.,
    Only the cat knew what had really happened., That night the old house smiled., It was worth more than gold.,
    Everyone agreed to keep the promise., A single light stayed on forever., The king never heard about it.,
    There was cake for everyone., Then the snow began to fall., The journey home took seven years.,
    All the clocks in town started again., No one asked any questions., It smelled of cinnamon and rain.""")
