"""Small facts with one right answer, small talk, and questions that the pair cannot answer."""

from __future__ import annotations

from tinypair.text import words


def _pairs(text: str) -> dict[str, str]:
    """Read ``key=value`` entries."""
    return dict(tuple(entry.split("=")) for entry in words(text))  # type: ignore[misc]


CAPITALS = _pairs("""
    France=Paris, Spain=Madrid, Italy=Rome, Germany=Berlin, Portugal=Lisbon, Japan=Tokyo, China=Beijing,
    Egypt=Cairo, Greece=Athens, Norway=Oslo, Sweden=Stockholm, Finland=Helsinki, Denmark=Copenhagen,
    Ireland=Dublin, Austria=Vienna, Poland=Warsaw, Hungary=Budapest, Russia=Moscow, Canada=Ottawa,
    Peru=Lima, Cuba=Havana, Kenya=Nairobi, India=New Delhi, Thailand=Bangkok, Belgium=Brussels,
    England=London, Scotland=Edinburgh, Turkey=Ankara, Argentina=Buenos Aires, Chile=Santiago""")
COLOUR_OF = _pairs("""
    the sky=blue, grass=green, snow=white, coal=black, a banana=yellow, a ripe tomato=red, the sun=yellow,
    a carrot=orange, chocolate=brown, a strawberry=red, a lemon=yellow, milk=white, a frog=green,
    a flamingo=pink, blood=red, a pumpkin=orange, a crow=black, lavender=purple, the sea=blue, sand=yellow""")
OPPOSITES = _pairs("""
    hot=cold, big=small, fast=slow, up=down, light=dark, happy=sad, old=young, high=low, wet=dry,
    open=closed, full=empty, hard=soft, early=late, strong=weak, rich=poor, clean=dirty, loud=quiet,
    near=far, thick=thin, first=last, left=right, day=night, true=false, long=short, heavy=light,
    easy=difficult, inside=outside, win=lose, buy=sell, begin=end""")
SOUNDS = _pairs("""
    cow=moo, cat=meow, dog=woof, duck=quack, sheep=baa, pig=oink, lion=roar, snake=hiss, bee=buzz,
    mouse=squeak, horse=neigh, frog=croak""")
LEGS = _pairs("spider=eight, dog=four, bird=two, ant=six, cat=four, bee=six, horse=four, chicken=two, cow=four, crab=ten")
COUNTS: dict[str, str] = {
    "days are in a week": "There are seven days in a week.",
    "months are in a year": "There are twelve months in a year.",
    "hours are in a day": "There are twenty-four hours in a day.",
    "minutes are in an hour": "There are sixty minutes in an hour.",
    "seconds are in a minute": "There are sixty seconds in a minute.",
    "wheels does a bicycle have": "A bicycle has two wheels.",
    "wheels does a car have": "A car has four wheels.",
    "sides does a triangle have": "A triangle has three sides.",
    "sides does a square have": "A square has four sides.",
    "letters are in the alphabet": "There are twenty-six letters in the alphabet.",
    "planets are in the solar system": "There are eight planets in the solar system.",
}
SMALL_TALK: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hello": (
        ("Hello!", "Hi", "Hello", "Hi there!", "Hey", "Good morning!", "Good evening.", "hello", "Hi!"),
        (
            "Hello! How can I help you today?",
            "Hi there! What can I do for you?",
            "Hello! It is nice to meet you.",
            "Good day! What would you like to talk about?",
            "Hi! Ask me for a name, a gift or a story.",
            "Hello! I hope you are having a good day.",
        ),
    ),
    "who": (
        ("Who are you?", "What are you?", "Tell me about yourself.", "What is your name?", "Are you a person?"),
        (
            "I am a tiny language model that lives inside a library.",
            "I am a very small model, and I like short answers.",
            "I am only a little program that writes short texts.",
            "I am a tiny model, made to show how two models can write together.",
        ),
    ),
    "how": (
        ("How are you?", "How are you today?", "How do you feel?", "How is it going?", "Are you well?"),
        (
            "I am very well, thank you for asking.",
            "I am fine, thank you. How are you?",
            "I feel great today, thank you.",
            "I am doing well, and I hope you are too.",
        ),
    ),
    "thanks": (
        ("Thank you!", "Thanks", "Thanks a lot.", "Thank you, that helps.", "Great, thanks!"),
        (
            "You are welcome!",
            "It was a pleasure.",
            "You are welcome. Ask me again any time.",
            "I am glad that I could help.",
            "No problem at all.",
        ),
    ),
    "bye": (
        ("Goodbye!", "Bye", "See you later.", "Good night!", "Bye bye!"),
        (
            "Goodbye, and take care!",
            "See you soon!",
            "Goodbye! Have a lovely day.",
            "Good night, and sleep well.",
            "Bye! It was nice to talk to you.",
        ),
    ),
    "can": (
        ("What can you do?", "What are you good at?", "How can you help me?", "Help", "What should I ask you?"),
        (
            "I can suggest names, gifts, dinners and places, and write very short stories.",
            "You can ask me for a name, a gift idea or a two-sentence story.",
            "I can answer small questions and tell short stories.",
            "I can find an answer in a text, or give you three ideas.",
        ),
    ),
}
UNKNOWN = tuple(
    line.strip()
    for line in """
    Explain quantum computing.
    Who won the election?
    What is the meaning of life?
    Write a Python function that sorts a list.
    How does a car engine work?
    Translate this into German.
    What is the weather like today?
    Summarise the news.
    Who is the president?
    How do I fix my computer?
    What is the square root of 1764?
    Write an email to my landlord.
    Can you book a flight for me?
    Which stocks should I buy?
    Explain the theory of relativity.
    What time is it?
    Tell me about the Roman Empire.
    How old is the universe?
    What is machine learning?
    Give me the lyrics of a song.
    Who wrote this book?
    How many people live in Asia?
    What is the best programming language?
    Is this medicine safe?
    How do vaccines work?
    Write a business plan.
    What happened in 1066?
    Prove the theorem.
""".strip().splitlines()
)
UNKNOWN_ANSWERS = (
    "I am sorry, but I am too small to know that.",
    "I do not know, but I can suggest a name, a gift or a story.",
    "That is beyond me, I am only a tiny model.",
    "Sorry, I have no idea.",
    "I cannot help with that, but I can tell you a short story.",
)
