"""The kinds of things that texts tell about: towns, shops, people, museums, animals, devices, projects."""

from __future__ import annotations

from tinypair.words.records import (
    ANIMAL_FOODS,
    COLOURS,
    DAYS,
    DOINGS,
    FOODS,
    GOODS,
    HOMES,
    JOBS,
    MONTHS,
    PASTIMES,
    ROOMS,
    TRADES,
    USES,
    fact,
    kind,
)

TOWN = kind(
    "town",
    "{e} is a small town in the hills. | {e} is a quiet town by the coast. | {e} is an old market town. | The town of {e} lies in a green valley.",
    fact(
        "word",
        "The river {v} runs through {e}. | {e} lies on the river {v}.",
        "Which river runs through {e}? | What is the name of the river in {e}? | What river does {e} lie on?",
        "The river {v} runs through {e}.",
    ),
    fact(
        "person",
        "The mayor of {e} is {v}. | {v} is the mayor of {e}.",
        "Who is the mayor of {e}? | What is the name of the mayor of {e}?",
        "The mayor of {e} is {v}.",
    ),
    fact(
        "year",
        "{e} was founded in {v}. | The town was founded in {v}.",
        "When was {e} founded? | In which year was {e} founded?",
        "{e} was founded in {v}.",
    ),
    fact(
        TRADES,
        "{e} is known for its {v}. | People know {e} for its {v}.",
        "What is {e} known for? | What is {e} famous for?",
        "{e} is known for its {v}.",
    ),
    fact(
        "count",
        "About {v} people live in {e}. | {e} has about {v} people.",
        "How many people live in {e}? | What is the population of {e}?",
        "About {v} people live in {e}.",
    ),
    fact(
        MONTHS,
        "The lantern festival takes place in {v}. | Every {v} there is a festival in {e}.",
        "When is the festival in {e}? | In which month is the festival in {e}?",
        "The festival in {e} is in {v}.",
    ),
    fact(
        DOINGS,
        "Visitors can {list}. | In {e} you can {list}. | Guests like to {list}.",
        "Suggest an activity for a visitor to {e}. | What could I do in {e}? | What can I do in {e}? | Name something to do in {e}. | Recommend an activity in {e}.",
        "In {e} you could {v}.",
        several=True,
    ),
    fact(
        FOODS,
        "Local dishes include {list}. | The cafes of {e} serve {list}.",
        "What should I eat in {e}? | Suggest a local dish in {e}. | What could I eat in {e}?",
        "In {e} you could try {v}.",
        several=True,
    ),
)
SHOP = kind(
    "shop",
    "{e} is a shop in the old quarter. | {e} is a family shop near the station. | The shop {e} stands on a busy corner.",
    fact(
        "person",
        "The owner of {e} is {v}. | {v} owns {e}.",
        "Who owns {e}? | Who is the owner of {e}?",
        "The owner of {e} is {v}.",
    ),
    fact(
        "street",
        "The shop is on {v}. | {e} is on {v}.",
        "Where is {e}? | On which street is {e}?",
        "{e} is on {v}.",
    ),
    fact(
        "hour",
        "{e} opens at {v}. | The doors open at {v}.",
        "When does {e} open? | At what time does {e} open? | What time does {e} open?",
        "{e} opens at {v}.",
    ),
    fact(
        DAYS,
        "It is closed on {v}. | {e} is closed on {v}.",
        "When is {e} closed? | On which day is {e} closed?",
        "{e} is closed on {v}.",
    ),
    fact(
        GOODS,
        "It sells {list}. | {e} sells {list}. | On the shelves there are {list}.",
        "What could I buy at {e}? | Suggest something to buy at {e}. | What can I buy at {e}? | What does {e} sell?",
        "At {e} you could buy {v}.",
        several=True,
    ),
)
PERSON = kind(
    "person",
    "{e} lives in a yellow house. | Everybody in the street knows {e}. | {e} moved here last year.",
    fact(
        JOBS,
        "{e} works as a {v}. | {e} is a {v}.",
        "What is the job of {e}? | What does {e} do for a living? | What work does {e} do?",
        "{e} works as a {v}.",
    ),
    fact(
        "town",
        "{e} was born in {v}. | {e} comes from {v}.",
        "Where was {e} born? | Where does {e} come from?",
        "{e} was born in {v}.",
    ),
    fact(
        "word",
        "{e} has a dog called {v}. | The dog of {e} is called {v}.",
        "What is the name of the dog of {e}? | What is the dog of {e} called?",
        "The dog of {e} is called {v}.",
    ),
    fact(
        FOODS,
        "The favourite food of {e} is {v}. | {e} loves {v}.",
        "What is the favourite food of {e}? | What does {e} love to eat?",
        "The favourite food of {e} is {v}.",
    ),
    fact(
        PASTIMES,
        "After work {e} enjoys {list}. | {e} likes {list}.",
        "Suggest an activity for {e}. | What could I do with {e}? | What does {e} enjoy? | Name a hobby of {e}.",
        "{e} would enjoy {v}.",
        several=True,
    ),
)
MUSEUM = kind(
    "museum",
    "The {e} Museum stands by the river. | The {e} Museum is in an old mill. | Many families visit the {e} Museum.",
    fact(
        "price",
        "A ticket costs {v} euros. | Entry to the {e} Museum costs {v} euros.",
        "How much is a ticket for the {e} Museum? | What does a ticket to the {e} Museum cost? | How much does the {e} Museum cost?",
        "A ticket for the {e} Museum costs {v} euros.",
    ),
    fact(
        "year",
        "It opened in {v}. | The {e} Museum opened in {v}.",
        "When did the {e} Museum open? | In which year did the {e} Museum open?",
        "The {e} Museum opened in {v}.",
    ),
    fact(
        "person",
        "Tours are led by {v}. | The guide is {v}.",
        "Who is the guide at the {e} Museum? | Who leads the tours of the {e} Museum?",
        "The guide at the {e} Museum is {v}.",
    ),
    fact(
        DAYS,
        "It is closed on {v}. | The {e} Museum is closed on {v}.",
        "When is the {e} Museum closed? | On which day is the {e} Museum closed?",
        "The {e} Museum is closed on {v}.",
    ),
    fact(
        ROOMS,
        "Visitors can see {list}. | Inside there are {list}.",
        "What should I see in the {e} Museum? | Suggest something to see at the {e} Museum. | What can I see in the {e} Museum?",
        "In the {e} Museum you could see {v}.",
        several=True,
    ),
)
ANIMAL = kind(
    "animal",
    "The {e} is a rare animal. | The {e} is a shy animal of the north. | Few people have seen the {e}.",
    fact(
        ANIMAL_FOODS,
        "The {e} eats {v}. | It feeds on {v}.",
        "What does the {e} eat? | What is the food of the {e}?",
        "The {e} eats {v}.",
    ),
    fact(
        HOMES,
        "The {e} lives in {v}. | It makes its home in {v}.",
        "Where does the {e} live? | What is the home of the {e}?",
        "The {e} lives in {v}.",
    ),
    fact(
        COLOURS,
        "Its fur is {v}. | The fur of the {e} is {v}.",
        "What colour is the {e}? | What colour is the fur of the {e}?",
        "The fur of the {e} is {v}.",
    ),
    fact(
        "small",
        "It sleeps {v} hours a day. | The {e} sleeps {v} hours a day.",
        "How long does the {e} sleep? | How many hours a day does the {e} sleep?",
        "The {e} sleeps {v} hours a day.",
    ),
)
DEVICE = kind(
    "device",
    "The {e} is a handy device for the home. | The {e} is a new device. | The {e} fits in a pocket.",
    fact(
        "price",
        "The {e} costs {v} euros. | Its price is {v} euros.",
        "How much does the {e} cost? | What is the price of the {e}?",
        "The {e} costs {v} euros.",
    ),
    fact(
        "small",
        "Its battery lasts {v} hours. | The battery of the {e} lasts {v} hours.",
        "How long does the battery of the {e} last? | How many hours does the {e} run?",
        "The battery of the {e} lasts {v} hours.",
    ),
    fact(
        "person",
        "It was invented by {v}. | {v} invented the {e}.",
        "Who invented the {e}? | Who is the inventor of the {e}?",
        "The {e} was invented by {v}.",
    ),
    fact(
        COLOURS,
        "The {e} comes in {v}. | Its case is {v}.",
        "What colour is the {e}? | In which colour does the {e} come?",
        "The {e} comes in {v}.",
    ),
    fact(
        USES,
        "It can {list}. | With the {e} you can {list}.",
        "What could I use the {e} for? | Suggest a use for the {e}. | What can the {e} do?",
        "You could use the {e} to {v}.",
        several=True,
    ),
)
PROJECT = kind(
    "project",
    "Project {e} started in spring. | Project {e} is a joint effort of three teams. | The board approved Project {e}.",
    fact(
        "person",
        "Project {e} is led by {v}. | The leader of Project {e} is {v}.",
        "Who leads Project {e}? | Who is the leader of Project {e}?",
        "Project {e} is led by {v}.",
    ),
    fact(
        MONTHS,
        "The deadline is in {v}. | Project {e} must be finished in {v}.",
        "When is the deadline of Project {e}? | When must Project {e} be finished?",
        "The deadline of Project {e} is in {v}.",
    ),
    fact(
        "count",
        "Its budget is {v} euros. | Project {e} has a budget of {v} euros.",
        "What is the budget of Project {e}? | How big is the budget of Project {e}?",
        "The budget of Project {e} is {v} euros.",
    ),
    fact(
        "town",
        "The team works in {v}. | The office of Project {e} is in {v}.",
        "Where does the team of Project {e} work? | Where is the office of Project {e}?",
        "The team of Project {e} works in {v}.",
    ),
)
KINDS = (TOWN, SHOP, PERSON, MUSEUM, ANIMAL, DEVICE, PROJECT)
