"""Names and what they are given to: pets, bands, robots, shops, boats."""

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
    swing band, funk band, reggae band, soul band, polka band, marching band, surf band, disco band, indie band,
    tango band, cover band, noise band, street band, big band, gospel band, skiffle band, bluegrass band,
    wind band, rap band, church band, synth band, pirate band, mariachi band, girl band, boy band, family band,
    jazz band, folk band, rock band, punk band, brass band, school band, blues band, wedding band,
    pop band, string band, garage band, samba band, country band, drum band, metal band, ska band""")
BAND_FIRST = words("""
    Velvet, Midnight, Electric, Paper, Silver, Wandering, Crooked, Neon, Hollow, Rusty, Golden, Restless,
    Broken, Blue, Scarlet, Lazy, Thirsty, Savage, Gentle, Distant, Burning, Frozen, Dusty, Hungry, Secret,
    Northern, Polite, Cosmic, Tangled, Lonesome""")
BAND_LAST = words("""
    Lanterns, Foxes, Echoes, Pilots, Sparrows, Tigers, Engines, Kettles, Shadows, Rivers, Pirates, Ravens,
    Mirrors, Cowboys, Teacups, Strangers, Wolves, Umbrellas, Poets, Comets, Beetles, Gardens, Trumpets,
    Thieves, Postcards, Dreamers, Radios, Owls, Bakers, Bicycles""")
ROBOTS = words("""
    mining robot, hotel robot, office robot, window robot, library robot, hospital robot, ship robot, chess robot,
    barber robot, train robot, music robot, pizza robot, laundry robot, traffic robot, night robot, pool robot,
    police robot, museum robot, snow robot, desert robot, factory robot, coffee robot, tennis robot, beach robot,
    kitchen robot, garden robot, toy robot, cleaning robot, helper robot, dancing robot, welding robot,
    small robot, school robot, rescue robot, painting robot, farm robot, butler robot, singing robot""")
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
    book shop, flower shop, tea shop, toy shop, bike shop, pet shop, fish shop, music shop, hat shop, cake shop,
    shoe shop, lamp shop, cheese shop, paper shop, game shop, wool shop, paint shop, plant shop, map shop, soap shop,
    card shop, clock shop, sweet shop, bread shop, coffee shop, gift shop, art shop, tool shop, wine shop, comic shop,
    candle shop, fruit shop, button shop, record shop, mirror shop, farm shop, puzzle shop, dress shop, phone shop,
    chess shop, honey shop, spice shop""")
BOATS = words("""
    sailing boat, fishing boat, rowing boat, ferry boat, house boat, tug boat, speed boat, narrow boat, wooden boat,
    pilot boat, paddle boat, racing boat, river boat, canal boat, rescue boat, dragon boat, steam boat, motor boat,
    cargo boat, survey boat, pleasure boat, rubber boat, mail boat, police boat, patrol boat, glass boat, lake boat,
    dive boat, jet boat, reed boat, toy boat, fire boat""")
BOAT_FIRST = words("""
    Sea, Silver, Morning, Salty, Lucky, Gentle, Northern, Wild, Brave, Blue, Stormy, Quiet, Golden, Swift,
    Merry, Misty, Proud, Island, Summer, Restless, Scarlet, Drifting, Lonely, Moonlit""")
BOAT_LAST = words("""
    Breeze, Heron, Star, Sparrow, Otter, Pearl, Wave, Gull, Dolphin, Wanderer, Lantern, Duchess, Petrel,
    Tide, Mermaid, Whisper, Swan, Compass, Seal, Dancer, Horizon, Pelican, Queen, Spirit""")
NAME_FEEL = words("""
    cheerful, gentle, friendly, playful, warm, bright, proud, lovely, simple, funny, sweet, bold, cosy,
    lucky, charming, noble, clever, quiet, jolly, fresh""")
