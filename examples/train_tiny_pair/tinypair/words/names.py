"""Names and what they are given to: pets, bands, robots, shops, boats (of the last four, what stands before that word)."""

from __future__ import annotations

from tinypair.text import words

PETS = words("""
    walrus, beetle, wombat, peacock, sheep, stick insect, toad, cockatoo, gerbil, chinchilla, salamander, sparrow,
    beagle, poodle, terrier, spaniel, mule, bull, calf, kitty, badger, mole, seagull, pigeon, swan, pheasant,
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
    swing, funk, reggae, soul, polka, marching, surf, disco, indie,
    tango, cover, noise, street, big, gospel, skiffle, bluegrass,
    wind, rap, church, synth, pirate, mariachi, girl, boy, family,
    jazz, folk, rock, punk, brass, school, blues, wedding,
    pop, string, garage, samba, country, drum, metal, ska""")
BAND_FIRST = words("""
    Velvet, Midnight, Electric, Paper, Silver, Wandering, Crooked, Neon, Hollow, Rusty, Golden, Restless,
    Broken, Blue, Scarlet, Lazy, Thirsty, Savage, Gentle, Distant, Burning, Frozen, Dusty, Hungry, Secret,
    Northern, Polite, Cosmic, Tangled, Lonesome""")
BAND_LAST = words("""
    Lanterns, Foxes, Echoes, Pilots, Sparrows, Tigers, Engines, Kettles, Shadows, Rivers, Pirates, Ravens,
    Mirrors, Cowboys, Teacups, Strangers, Wolves, Umbrellas, Poets, Comets, Beetles, Gardens, Trumpets,
    Thieves, Postcards, Dreamers, Radios, Owls, Bakers, Bicycles""")
ROBOTS = words("""
    mining, hotel, office, window, library, hospital, ship, chess,
    barber, train, music, pizza, laundry, traffic, night, pool,
    police, museum, snow, desert, factory, coffee, tennis, beach,
    kitchen, garden, toy, cleaning, helper, dancing, welding,
    small, school, rescue, painting, farm, butler, singing""")
ROBOT_NAMES = words("""
    Bolt, Sprocket, Gizmo, Rivet, Cog, Pixel, Widget, Turbo, Zippy, Beep, Circuit, Dynamo, Gadget, Magnet,
    Nimbus, Orbit, Piston, Quark, Ratchet, Servo, Tinker, Vector, Wattson, Clank, Flux, Hinge, Jolt,
    Laser, Motor, Neutron, Sparky, Copper, Axle, Buzz, Chip, Diode, Echo, Fuse, Gear, Helix""")
SHOP_FIRST = words("""
    Golden, Little, Crooked, Corner, Happy, Wandering, Old, Secret, Blue, Painted, Sunny, Velvet, Silver,
    Friendly, Quiet, Merry, Rosy, Humble, Lucky, Copper, Hidden, Morning, Honest, Curious""")
SHOP_LAST = words("""
    Corner, Lantern, Basket, Window, Cellar, Counter, Bell, Barrel, Attic, Cabinet, Chest, Drawer, Ladder, Nook,
    Parlour, Shelf, Stair, Table, Wagon, Doorstep, Garden, Pantry, Archway, Market, Key, Kettle, Anchor, Feather,
    Button, Acorn""")
SHOPS = words("""
    book, flower, tea, toy, bike, pet, fish, music, hat, cake,
    shoe, lamp, cheese, paper, game, wool, paint, plant, map, soap,
    card, clock, sweet, bread, coffee, gift, art, tool, wine, comic,
    candle, fruit, button, record, mirror, farm, puzzle, dress, phone,
    chess, honey, spice""")
BOATS = words("""
    sailing, fishing, rowing, ferry, house, tug, speed, narrow, wooden,
    pilot, paddle, racing, river, canal, rescue, dragon, steam, motor,
    cargo, survey, pleasure, rubber, mail, police, patrol, glass, lake,
    dive, jet, reed, toy, fire""")
BOAT_FIRST = words("""
    Sea, Silver, Morning, Salty, Lucky, Gentle, Northern, Wild, Brave, Blue, Stormy, Quiet, Golden, Swift,
    Merry, Misty, Proud, Island, Summer, Restless, Scarlet, Drifting, Lonely, Moonlit""")
BOAT_LAST = words("""
    Breeze, Heron, Star, Sparrow, Otter, Pearl, Wave, Gull, Dolphin, Wanderer, Lantern, Duchess, Petrel,
    Tide, Mermaid, Whisper, Swan, Compass, Seal, Dancer, Horizon, Pelican, Queen, Spirit""")
NAME_FEEL = words("""
    cheerful, gentle, friendly, playful, warm, bright, proud, lovely, simple, funny, sweet, bold, cosy,
    lucky, charming, noble, clever, quiet, jolly, fresh""")
