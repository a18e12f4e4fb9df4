"""Tools that people offer to a model: well-known ones, and the nouns, verbs and argument names that others are invented from.

In asks and answers ``{0}`` and ``{1}`` stand for the values of the arguments, ``{r}`` for the result; in descriptions for the
arguments' names. The well-known tools are for training only, so no noun or argument name of theirs is in the lists below them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinypair.text import words


@dataclass(frozen=True)
class Known:
    """A tool that many programs have: its names, its arguments, and what is said around a call of it."""

    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    arguments: tuple[str, ...]
    """For each argument its possible names and, behind an equals sign, the kind of its value."""
    asks: tuple[str, ...]
    answers: tuple[str, ...]
    result: str


def known(names: str, descriptions: str, arguments: str, asks: str, answers: str, result: str) -> Known:
    """Make a well-known tool from lists that bars separate (the arguments: spaces)."""
    lists = [tuple(text.split(" | ")) for text in (names, descriptions, asks, answers)]
    return Known(lists[0], lists[1], tuple(arguments.split()), lists[2], lists[3], result)


CALCULATORS = (
    known("add | add_numbers | plus", "Add two numbers. | Add a and b. | Adds two integers. | Add: a plus b.",
          "a|x|left=int b|y|right=int",
          "What is {0} plus {1}? | Add {0} and {1}. | What is {0} + {1}? | Add {0} to {1}. | Calculate {0} plus {1}.",
          "{0} plus {1} is {r}. | The answer is {r}. | It is {r}.", "sum"),
    known("multiply | multiply_numbers | times", "Multiply two numbers. | Multiply a and b. | Multiply: a times b.",
          "a|x|left=int b|y|right=int",
          "What is {0} times {1}? | Multiply {0} by {1}. | What is {0} * {1}? | Calculate {0} times {1}. | Multiply {0} and {1}.",
          "{0} times {1} is {r}. | The answer is {r}. | It is {r}.", "product"),
    known("subtract | subtract_numbers | minus", "Subtract b from a. | Subtract two numbers. | Subtract: a minus b.",
          "a|x|left=int b|y|right=int",
          "What is {0} minus {1}? | What is {0} - {1}? | Calculate {0} minus {1}.",
          "{0} minus {1} is {r}. | The answer is {r}. | It is {r}.", "difference"),
    known("divide | divide_numbers", "Divide a by b. | Divide two numbers. | Divides a number.",
          "a|x|left=int b|y|right=int",
          "What is {0} divided by {1}? | Divide {0} by {1}. | What is {0} / {1}? | Calculate {0} divided by {1}.",
          "{0} divided by {1} is {r}. | The answer is {r}. | It is {r}.", "quotient"),
)  # fmt: skip
KNOWN = (
    *CALCULATORS,
    known("get_weather | weather | getWeather | get_current_weather | check_weather",
          "Get the weather in a {0}. | Get the current weather. | The weather report. | Get the weather for a given {0}.",
          "city|location|town|place=town",
          "What is the weather in {0}? | What's the weather in {0}? | Get the weather in {0}. | Tell me the weather in {0}. | "
          "How is the weather in {0}? | What is the weather like in {0}? | Check the weather for {0}. | Weather in {0}?",
          "The weather in {0} is {r}. | It is {r} in {0}. | It is {r}.", "weather"),
    known("get_temperature | temperature", "Get the temperature in a {0}. | The temperature outside.", "city|location|town=town",
          "What is the temperature in {0}? | Get the temperature in {0}. | Tell me the temperature in {0}.",
          "The temperature in {0} is {r}. | It is {r}.", "degrees"),
    known("get_time | current_time | getTime", "Get the time in a {0}. | The current time.", "city|location=town",
          "What time is it in {0}? | What is the time in {0}? | Get the time in {0}. | Tell me the time in {0}.",
          "The time in {0} is {r}. | It is {r} in {0}.", "clock"),
    known("get_price | price | getPrice | find_price", "Get the price of a {0}. | Find out the price.", "product|item|name=thing",
          "What is the price of {0}? | Get the price of {0}. | Tell me the price of {0}. | Find the price of {0}.",
          "The price of {0} is {r}. | It is {r}.", "money"),
    known("get_stock_price | stock_price", "Get the stock price of a {0}.", "company|symbol|ticker=word",
          "What is the stock price of {0}? | Get the stock price of {0}. | How is the stock of {0}?",
          "The stock price of {0} is {r}. | It is {r}.", "money"),
    known("get_population | population", "Get the population of a {0}. | Population lookup.", "city|town=town",
          "What is the population of {0}? | Get the population of {0}. | Find the population of {0}.",
          "The population of {0} is {r}. | It is {r}.", "count"),
    known("find_route | route | get_route | findRoute", "Find a route between two places. | Plan a route. | Find the route to take.",
          "start|origin|from_city=town end|destination|to_city=town",
          "Find a route from {0} to {1}. | What is the route from {0} to {1}? | Show me the route from {0} to {1}. | "
          "Plan a route from {0} to {1}.",
          "The route from {0} to {1} takes {r}. | It takes {r}.", "duration"),
    known("get_distance | distance", "Get the distance between two places. | Distance in kilometres.",
          "start|origin|from_city=town end|destination|to_city=town",
          "What is the distance from {0} to {1}? | What is the distance between {0} and {1}? | Get the distance from {0} to {1}.",
          "The distance from {0} to {1} is {r}. | It is {r}.", "measure"),
    known("book_flight | bookFlight", "Book a flight. | Book a flight between two places.",
          "origin|start|from_city=town destination|end|to_city=town",
          "Book a flight from {0} to {1}. | Please book a flight from {0} to {1}. | I need a flight from {0} to {1}.",
          "The flight from {0} to {1} is {r}. | It is {r}.", "booking"),
    known("book_table | bookTable | reserve_table", "Book a table. | Book a table at a restaurant. | Reserve a table.",
          "restaurant|name=word guests|people=number",
          "Book a table at {0} for {1}. | I need a table at {0} for {1}. | Book a table for {1} at {0}. | Get me a table at {0} for {1}.",
          "The table at {0} is {r}. | The table for {1} is {r}.", "booking"),
    known("find_hotel | book_hotel", "Find a hotel. | Find a hotel in a {0}.", "city|town=town nights|days=number",
          "Find a hotel in {0} for {1} nights. | I need a hotel in {0} for {1} nights. | Find me a hotel in {0} for {1} nights.",
          "I found the hotel {r} in {0}. | The hotel is {r}.", "word"),
    known("convert_price | convert_currency | convert", "Convert a price into another currency. | Convert money.",
          "amount|value|price=number currency|target|to=currency",
          "Convert {0} euros to {1}. | Convert {0} euros into {1}. | Please convert {0} euros to {1}.",
          "The price in {1} is {r}. | It is {r}.", "number"),
    known("lookup_word | look_up_word | define_word | define", "Look up a word. | Define a word. | Get the meaning of a word.", "word|term=term",
          "Look up the word {0}. | What is the meaning of the word {0}? | Define the word {0}. | Find the word {0}.",
          "The word {0} means {r}. | It means {r}.", "thing"),
    known("translate | translate_text", "Translate a text. | Translate text into a language.", "text|phrase=phrase language|to=language",
          "Translate {0} into {1}. | Translate {0} to {1}. | Please translate {0} into {1}.",
          "In {1} it is {r}. | It means {r}.", "term"),
    known("search | web_search | search_web | searchWeb", "Search the web. | Search for a {0}. | Search.", "query|text=query",
          "Search for {0}. | Search the web for {0}. | Please search for {0}. | Do a search for {0}.",
          "I found {r}. | The search found {r}.", "thing"),
    known("get_news | news", "Get the news about a {0}. | Read the news.", "topic|subject=query",
          "What is the news about {0}? | Get the news about {0}. | Show me the news about {0}. | Any news about {0}?",
          "The news about {0} is {r}. | The news is {r}.", "state"),
    known("send_email | send_message | sendEmail", "Send an email or a message. | Send a message, for example an email.",
          "to|recipient|name=person subject|text|message=phrase",
          "Send an email to {0} about {1}. | Send a message to {0} about {1}. | Please send {0} a message about {1}.",
          "The message to {0} is {r}. | It is {r}.", "booking"),
    known("get_phone_number | find_phone", "Get the phone number of a person. | Find a phone number.", "name|person=person",
          "What is the phone number of {0}? | Get the phone number of {0}. | Find the phone number of {0}.",
          "The phone number of {0} is {r}. | It is {r}.", "count"),
    known("set_timer | start_timer | timer", "Set a timer. | Start a timer, in {0}.", "minutes=number",
          "Set a timer for {0} minutes. | Start a timer of {0} minutes. | I need a timer for {0} minutes.",
          "The timer for {0} minutes is {r}. | It is {r}.", "booking"),
    known("create_note | add_note | save_note", "Create a note. | Save a note. | Add a note to the list.", "text|note|content=query",
          "Create a note about {0}. | Save a note about {0}. | Make a note about {0}. | Write a note about {0}.",
          "The note about {0} is {r}. | It is {r}.", "booking"),
    known("play_song | play", "Play a song.", "title|song=phrase",
          "Play the song {0}. | Please play the song {0}. | I want to hear the song {0}.",
          "The song {0} is {r}. | It is {r}.", "booking"),
    known("roll_dice | rollDice", "Roll a dice. | Roll a dice with many sides.", "sides=number",
          "Roll a dice with {0} sides. | Please roll a dice with {0} sides. | Roll a {0} sided dice.",
          "The dice shows {r}. | It is {r}.", "number"),
)  # fmt: skip
MEASURES = words("""
    height, weight, speed, width, length, depth, age, area, volume, pressure, boiling point, melting point, salary, rent, score,
    mileage, tide, humidity, altitude, fare, tax, debt, budget, power, voltage, wind, rainfall, balance, fee, range, duration,
    capacity, density, postage, discount, wingspan, ink level, shoe size, fuel use, sugar content""")
NAMES = words("""
    owner, author, mayor, director, nickname, colour, flavour, sponsor, teacher, captain, rival, doctor, landlord, editor, keeper,
    brand, password, postcode, birthplace, home port, middle name, painter, composer, maker, neighbour, coach, winner, king,
    guardian, anthem, motto, password hint""")
STATES = words("""
    status, mood, condition, quality, rank, verdict, view, schedule, ripeness, health, forecast, rating, mode, progress, stock level,
    traffic, queue, delivery, menu, itinerary, review, climate, danger, smell, taste, texture, noise, signal, harvest, repair""")
VERBS = words("""
    polish, paint, mend, wash, clean, open, close, lock, unlock, lift, fill, empty, heat, cool, water, feed, charge, cancel,
    count, measure, print, scan, copy, delete, archive, invite, greet, call up, wake, sort, sell, borrow, sharpen, decorate, wrap,
    stamp, weigh, inspect, repair, dust, dim, mute, pause, reboot, upload, tag""")
ARGUMENTS = words("""
    key, ship, house, river, novel, animal, plant, planet, team, school, street, village, lake, hill, boat, train, car, tool, shop,
    museum, bridge, tower, garden, farm, horse, film, dish, game, letter, ticket, order, account, user, customer, member, patient,
    server, file, folder, device, sensor, machine, station, airport, region, island, forest, castle, ship_name, order_id, user_name,
    file_name, device_id, owner_id, room_key, plant_type, brand_name, label, code, slug""")
NUMBER_ARGUMENTS = words("""
    week, day, year, room, floor, page, level, size, shelf, lane, row, seat, gate, track, zone, step, round, season, chapter,
    version, channel, slot, drawer, deck, class, stage, hall, box, shift, term""")
PAIR_ARGUMENTS = words("""
    first second, m n, p q, low high, top bottom, one other, g h, u v, i j, num1 num2, old new, big small, minuend subtrahend, v1 v2,
    lhs rhs, head tail, c d, alpha beta, num_a num_b, s t, first_number second_number, e f, k l""")
OPTIONS = words("""
    unit, format, limit, style, mode_name, source, detail, currency_code, sort_by, timezone, locale, verbose_level, accuracy, filter,
    output, order_by, scale, theme, quality_level, precision_name""")
DEFAULTS = words("metric, short, all, best, none, default, full, en, plain, auto")
UNITS = words("metres, kilos, degrees, points, litres, euros, miles, percent, hours, tons, pounds, steps, volts, grams, days, dollars")
WEATHER = words("""
    sunny, rainy, cloudy, windy, foggy, snowy, stormy, warm, cold, mild, hot, dry, sunny and cold, cloudy and warm, rainy and windy,
    cold and foggy, warm and dry, icy, hazy, sunny and windy, hot and dry, grey and wet, clear, clear and cold""")
STATE_WORDS = words("""
    good, bad, excellent, poor, ready, late, early, busy, quiet, closed, open, broken, stable, rising, falling, full, empty, calm,
    very good, quite slow, better than before, not ready yet, on the way, under repair, almost done, rather high, a bit low, normal,
    strange, perfect, unknown, first class, second best, green, locked, fresh, sour, rough, smooth, average""")
BOOKINGS = words("booked, confirmed, done, ready, saved, sent, waiting, set, on the list, running, accepted, finished, started")
CURRENCIES = words("dollars, pounds, yen, francs, kronor, rupees, pesos, zloty")
LANGUAGES = words("French, German, Spanish, Italian, Polish, Dutch, Greek, Finnish, Turkish, Welsh, Czech, Danish, Swedish, Latin")
PHRASE_STARTS = words("""
    blue, old, red, small, green, wooden, silver, broken, quiet, golden, lost, cheap, white, heavy, happy, lazy, wild, hidden, tiny,
    frozen, purple, rusty, sweet, striped, hollow, copper, dusty, round""")
PHRASE_ENDS = words("""
    lamp, kettle, blanket, umbrella, bicycle, teapot, lantern, basket, mirror, candle, ladder, pillow, violin, hammer, curtain,
    cabinet, bucket, compass, trumpet, notebook, saddle, anchor, carpet, whistle, button, ribbon, feather, pebble, wool hat,
    garden chair, tea cup, fishing rod, winter coat, music box""")
