"""Names and what they are given to: pets, bands, robots, shops, boats."""

from __future__ import annotations

from tinypair.text import words

PETS = words("""
    hedgehog, kitten, puppy, rabbit, hamster, parrot, tortoise, goldfish, pony, ferret, gecko, duckling,
    goat, llama, owl, guinea pig, cat, dog, horse, snail, frog, donkey, lizard, budgie, mouse, rat, lamb,
    piglet, turtle, canary, crab, snake, chicken, goose, alpaca, otter, squirrel, fox cub, newt, raven""")
PET_NAMES = words("""
    Bramble, Luna, Pip, Biscuit, Clover, Hazel, Sunny, Pebble, Willow, Ziggy, Maple, Otis, Poppy, Rusty,
    Mochi, Ginger, Daisy, Comet, Waffle, Juniper, Nutmeg, Smokey, Olive, Toffee, Marble, Pickle, Bella,
    Sprout, Cosmo, Dumpling, Thistle, Peanut, Velvet, Rocket, Tulip, Barnaby, Ember, Freckles, Noodle,
    Misty, Acorn, Button, Cleo, Domino, Fern, Gus, Honey, Indigo, Jasper, Kiwi, Mango, Pepper, Quincy,
    Rolo, Scout, Truffle, Winston, Yoshi, Basil, Figaro""")
BANDS = words("""
    jazz band, folk band, rock band, punk band, brass band, school band, blues band, wedding band,
    pop group, string quartet, garage band, samba band, choir, drum group, metal band, ska band""")
BAND_FIRST = words("""
    Velvet, Midnight, Electric, Paper, Silver, Wandering, Crooked, Neon, Hollow, Rusty, Golden, Restless,
    Broken, Blue, Scarlet, Lazy, Thirsty, Savage, Gentle, Distant, Burning, Frozen, Dusty, Hungry, Secret,
    Northern, Polite, Cosmic, Tangled, Lonesome""")
BAND_LAST = words("""
    Lanterns, Foxes, Echoes, Pilots, Sparrows, Tigers, Engines, Kettles, Shadows, Rivers, Pirates, Ravens,
    Mirrors, Cowboys, Teacups, Strangers, Wolves, Umbrellas, Poets, Comets, Beetles, Gardens, Trumpets,
    Thieves, Postcards, Dreamers, Radios, Owls, Bakers, Bicycles""")
ROBOTS = words("""
    kitchen robot, garden robot, toy robot, cleaning robot, helper robot, dancing robot, robot dog,
    small robot, school robot, rescue robot, painting robot, farm robot, robot butler, singing robot""")
ROBOT_NAMES = words("""
    Bolt, Sprocket, Gizmo, Rivet, Cog, Pixel, Widget, Turbo, Zippy, Beep, Circuit, Dynamo, Gadget, Magnet,
    Nimbus, Orbit, Piston, Quark, Ratchet, Servo, Tinker, Vector, Wattson, Clank, Flux, Hinge, Jolt,
    Laser, Motor, Neutron, Sparky, Copper, Axle, Buzz, Chip, Diode, Echo, Fuse, Gear, Helix""")
SHOP_FIRST = words("""
    Golden, Little, Crooked, Corner, Happy, Wandering, Old, Secret, Blue, Painted, Sunny, Velvet, Silver,
    Friendly, Quiet, Merry, Rosy, Humble, Lucky, Copper, Hidden, Morning, Honest, Curious""")
SHOPS: dict[str, tuple[str, ...]] = {
    "bakery": words("Crust, Loaf, Oven, Whisk, Crumb, Bun, Pretzel, Rolling Pin, Flour Sack, Muffin"),
    "bookshop": words("Page, Chapter, Shelf, Bookmark, Reader, Novel, Inkwell, Library, Story, Quill"),
    "flower shop": words("Petal, Bouquet, Rose, Tulip, Daisy, Garden, Stem, Blossom, Lily, Meadow"),
    "tea shop": words("Kettle, Teapot, Leaf, Saucer, Cup, Spoon, Infusion, Samovar, Biscuit, Steam"),
    "toy shop": words("Rocking Horse, Puppet, Spinning Top, Kite, Bear, Marble, Drum, Puzzle, Train, Doll"),
    "bike shop": words("Wheel, Pedal, Spoke, Saddle, Chain, Bell, Gear, Tandem, Brake, Handlebar"),
    "pet shop": words("Paw, Feather, Whisker, Tail, Burrow, Nest, Kennel, Basket, Collar, Bone"),
    "fish shop": words("Net, Anchor, Herring, Tide, Oyster, Trawler, Mackerel, Hook, Lobster, Fin"),
    "music shop": words("Fiddle, Note, Drum, Chord, Metronome, Trumpet, String, Melody, Banjo, Tune"),
    "hat shop": words("Brim, Feather, Ribbon, Bonnet, Beret, Cap, Bowler, Crown, Bow, Top Hat"),
}
BOATS = words("""
    sailing boat, fishing boat, canoe, ferry, rowing boat, yacht, houseboat, raft, dinghy, tugboat,
    speedboat, kayak, narrowboat, wooden boat""")
BOAT_FIRST = words("""
    Sea, Silver, Morning, Salty, Lucky, Gentle, Northern, Wild, Brave, Blue, Stormy, Quiet, Golden, Swift,
    Merry, Misty, Proud, Island, Summer, Restless, Scarlet, Drifting, Lonely, Moonlit""")
BOAT_LAST = words("""
    Breeze, Heron, Star, Sparrow, Otter, Pearl, Wave, Gull, Dolphin, Wanderer, Lantern, Duchess, Petrel,
    Tide, Mermaid, Whisper, Swan, Compass, Seal, Dancer, Horizon, Pelican, Queen, Spirit""")
NAME_FEEL = words("""
    cheerful, gentle, friendly, playful, warm, bright, proud, lovely, simple, funny, sweet, bold, cosy,
    lucky, charming, noble, clever, quiet, jolly, fresh""")
