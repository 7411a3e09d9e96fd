"""What the demo town is made of: real cities and districts, invented businesses, no real people."""

from dataclasses import dataclass

from providers.choices import ProviderKind as P
from providers.choices import ServiceKind as S


@dataclass(frozen=True)
class City:
    """A city: its zone, its money (``price_factor`` turns a price in euro cents into local minor units), its districts."""

    name: str
    country: str
    time_zone: str
    currency: str
    price_factor: float
    round_to: int  # minor units
    providers: int
    owners: int
    streets: tuple[str, ...]
    districts: tuple[tuple[str, float, float], ...]


CITIES = (
    City(
        "Berlin", "DE", "Europe/Berlin", "EUR", 1.0, 50, 38, 20,
        ("Lindenallee", "Parkweg", "Gartenstraße", "Seestraße", "Ahornweg", "Kastanienallee"),
        (
            ("Mitte", 52.5200, 13.4050), ("Kreuzberg", 52.4986, 13.4030), ("Prenzlauer Berg", 52.5388, 13.4244),
            ("Neukölln", 52.4811, 13.4350), ("Charlottenburg", 52.5167, 13.3040), ("Friedrichshain", 52.5150, 13.4540),
            ("Schöneberg", 52.4830, 13.3500), ("Wedding", 52.5500, 13.3590), ("Moabit", 52.5290, 13.3400),
            ("Tempelhof", 52.4660, 13.3850), ("Steglitz", 52.4560, 13.3290), ("Pankow", 52.5690, 13.4020),
        ),
    ),
    City(
        "New York", "US", "America/New_York", "USD", 1.4, 100, 34, 16,
        ("Maple Street", "Park Avenue", "Orchard Lane", "Bridge Street", "Cedar Street"),
        (
            ("Chelsea", 40.7465, -74.0014), ("Harlem", 40.8116, -73.9465), ("Williamsburg", 40.7081, -73.9571),
            ("Park Slope", 40.6710, -73.9814), ("Astoria", 40.7644, -73.9235), ("Upper West Side", 40.7870, -73.9754),
            ("East Village", 40.7265, -73.9815), ("Bushwick", 40.6944, -73.9213),
            ("Long Island City", 40.7447, -73.9485), ("Greenpoint", 40.7304, -73.9515),
        ),
    ),
    City(
        "Almaty", "KZ", "Asia/Almaty", "KZT", 240.0, 50_000, 26, 12,
        ("Gornaya Street", "Sadovaya Street", "Apple Orchard Street", "Park Street"),
        (
            ("Medeu", 43.2430, 76.9590), ("Bostandyk", 43.2200, 76.9000), ("Almaly", 43.2520, 76.9280),
            ("Auezov", 43.2270, 76.8500), ("Samal", 43.2330, 76.9530), ("Koktem", 43.2320, 76.9200),
            ("Nauryzbay", 43.2060, 76.8030), ("Turksib", 43.3380, 76.9650),
        ),
    ),
    City(
        "London", "GB", "Europe/London", "GBP", 0.95, 50, 18, 8,
        ("Willow Road", "Station Road", "Park Lane", "Mill Lane"),
        (
            ("Camden", 51.5390, -0.1426), ("Hackney", 51.5450, -0.0553), ("Clapham", 51.4620, -0.1380),
            ("Islington", 51.5380, -0.1020), ("Greenwich", 51.4820, -0.0070), ("Brixton", 51.4610, -0.1160),
        ),
    ),
    City(
        "Sydney", "AU", "Australia/Sydney", "AUD", 1.6, 100, 14, 6,
        ("Wattle Street", "Harbour Road", "Banksia Avenue"),
        (
            ("Surry Hills", -33.8840, 151.2120), ("Newtown", -33.8970, 151.1790), ("Bondi", -33.8910, 151.2640),
            ("Manly", -33.7970, 151.2880), ("Glebe", -33.8790, 151.1850), ("Marrickville", -33.9110, 151.1550),
        ),
    ),
)  # fmt: skip

# The mix of kinds, repeated along a city's providers: every kind shows up in every city.
KINDS = (P.WALKER, P.SITTER, P.GROOMER, P.WALKER, P.CLINIC, P.TRAINER, P.SITTER, P.SHOP, P.WALKER, P.SITTER)

NAMES = {
    P.WALKER: ("Happy Trails Dog Walks", "Four Paws Out", "The Morning Walk", "Park Pack", "Long Leash", "Muddy Paws"),
    P.SITTER: (
        "Cozy Basket Pet Sitting",
        "Second Home Pets",
        "Whisker Watch",
        "Sofa & Paws",
        "The Pet Nest",
        "Tail End Stays",
    ),
    P.GROOMER: ("Bubble & Brush", "The Tidy Tail", "Soft Coat Studio", "Comb & Collar"),
    P.CLINIC: ("Green Cross Small Animal Clinic", "Harbor Vet Practice", "Paw & Pulse Clinic"),
    P.TRAINER: ("Good Start Dog School", "Clever Paws Training", "Loose Lead Academy"),
    P.SHOP: ("Corner Pet Supply", "Bowl & Basket", "The Pet Pantry"),
}
BIOS = {
    P.WALKER: "Small groups, fixed routes and a short report with every walk. Keys are kept in a safe, wet dogs are toweled off, and we are on time.",
    P.SITTER: "A calm home with a fenced garden and few guests at a time. Your routine stays your routine: food, medicine and bedtime as you write them down.",
    P.GROOMER: "Quiet dryers, warm water, and as many breaks as your animal needs. We talk through the cut first and tell you what the coat needs until next time.",
    P.CLINIC: "Check-ups, vaccinations and small surgery by appointment. Every visit ends with a written summary and a clear price.",
    P.TRAINER: "Reward-based training in small steps: puppies, recall, calm on the leash. You learn as much as your dog does.",
    P.SHOP: "Food and gear chosen by people who use it, and a day care room at the back where regulars nap in the sun.",
}  # fmt: skip


@dataclass(frozen=True)
class Offer:
    """A service as the demo sells it. ``price`` in euro cents, ``minutes`` None for nights."""

    kind: S
    name: str
    price: int
    minutes: int | None
    species: tuple[str, ...] = ("dog",)
    needs: tuple[str, ...] = ("person",)
    max_pets: int = 2
    extra_pet: int = 0
    holiday_percent: int = 0
    max_weight_kg: int | None = None
    vaccines: tuple[str, ...] = ()
    buffer_after: int = 0
    notice: int = 120
    step: int = 30
    instant: bool = False
    payment: str = "at_visit"
    addons: tuple[tuple[str, int], ...] = ()


HOUSE_PETS = ("dog", "cat", "rabbit", "bird", "small_mammal")
OFFERS = {
    P.WALKER: (
        Offer(S.WALKING, "30-minute walk", 1200, 30, max_pets=3, extra_pet=500, holiday_percent=25, buffer_after=15, instant=True),
        Offer(S.WALKING, "60-minute walk", 1900, 60, max_pets=3, extra_pet=700, holiday_percent=25, buffer_after=15, instant=True,
              payment="prepay",
              addons=(("Towel dry and paw wash", 300), ("Feeding at home", 400))),
        Offer(S.DROP_IN, "Drop-in visit", 1500, 30, HOUSE_PETS, max_pets=4, extra_pet=300, holiday_percent=25, buffer_after=15),
    ),
    P.SITTER: (
        Offer(S.BOARDING, "Overnight at our home", 3600, None, ("dog", "cat", "rabbit"), ("room",), 3, 1500, 50, 45,
              ("rabies",), notice=1440, payment="prepay", addons=(("Bath before going home", 1800), ("Daily photo diary", 500))),
        Offer(S.DAYCARE, "Day care, 8 hours", 2600, 480, ("dog", "cat"), ("kennel",), 2, 1200, 25, 45, notice=720),
        Offer(S.DROP_IN, "Drop-in visit", 1600, 45, HOUSE_PETS, max_pets=4, extra_pet=300, holiday_percent=25, buffer_after=15),
    ),
    P.GROOMER: (
        Offer(S.GROOMING, "Bath and brush", 3500, 60, ("dog", "cat"), ("person", "table"), 1, buffer_after=15, instant=True,
              addons=(("Nail trim", 900), ("Teeth cleaning", 1200))),
        Offer(S.GROOMING, "Full groom and cut", 6200, 120, ("dog",), ("person", "table"), 1, buffer_after=15, max_weight_kg=40,
              payment="deposit",
              addons=(("Nail trim", 900), ("De-shedding treatment", 1500))),
    ),
    P.CLINIC: (
        Offer(S.CLINIC, "Check-up", 4500, 20, (*HOUSE_PETS, "reptile"), ("person", "room"), 2, 2500, buffer_after=10, step=10,
              notice=60, instant=True),
        Offer(S.CLINIC, "Vaccination", 3900, 20, ("dog", "cat", "rabbit"), ("person", "room"), 2, 3000, buffer_after=10, step=10,
              notice=60, instant=True),
        Offer(S.CLINIC, "Dental cleaning", 14000, 90, ("dog", "cat"), ("person", "room"), 1, notice=2880, buffer_after=30),
    ),
    P.TRAINER: (
        Offer(S.TRAINING, "Private lesson", 5500, 60, max_pets=1, buffer_after=30),
        Offer(S.TRAINING, "Puppy start", 3900, 45, max_pets=2, extra_pet=1500, vaccines=("dhpp",), buffer_after=15),
    ),
    P.SHOP: (
        Offer(S.DAYCARE, "Half-day nap room", 1800, 240, ("dog", "cat"), ("kennel",), 2, 900, 25, 30, notice=240, instant=True),
        Offer(S.GROOMING, "Nail trim", 1100, 20, ("dog", "cat", "rabbit"), ("person",), 2, 800, step=20, notice=60, instant=True),
    ),
}  # fmt: skip

# What each kind of business has: (kind of resource, name, how many at the smallest and the largest).
RESOURCES = {
    P.WALKER: (("person", "Walker", 1, 3),),
    P.SITTER: (("person", "Sitter", 1, 2), ("room", "Guest room", 1, 3), ("kennel", "Day place", 2, 3)),
    P.GROOMER: (("person", "Groomer", 2, 4), ("table", "Table", 1, 3)),
    P.CLINIC: (("person", "Veterinarian", 1, 3), ("room", "Exam room", 1, 2)),
    P.TRAINER: (("person", "Trainer", 1, 2),),
    P.SHOP: (("person", "Shop assistant", 1, 2), ("kennel", "Day place", 2, 4)),
}

PETS = (
    ("Biscuit", "dog", "Beagle", "12.4"), ("Luna", "cat", "European shorthair", "4.1"), ("Rex", "dog", "German shepherd", "34.0"),
    ("Pepper", "dog", "Miniature schnauzer", "7.8"), ("Mochi", "cat", "British shorthair", "5.3"), ("Clover", "rabbit", "Mini lop", "1.9"),
    ("Kiwi", "bird", "Budgerigar", "0.04"), ("Bruno", "dog", "Labrador retriever", "30.0"), ("Nala", "cat", "Maine coon", "6.7"),
    ("Cookie", "dog", "Cavalier King Charles spaniel", "8.1"), ("Hazel", "small_mammal", "Guinea pig", "1.0"), ("Ziggy", "dog", "Border collie", "19.5"),
    ("Shadow", "cat", "Bombay", "4.6"), ("Maple", "dog", "Golden retriever", "29.2"), ("Pixel", "reptile", "Leopard gecko", "0.07"),
    ("Olive", "dog", "Dachshund", "8.9"), ("Tofu", "cat", "Siamese", "3.9"), ("Waffles", "dog", "Corgi", "11.7"),
)  # fmt: skip

REVIEWS = (
    (5, "On time, kind and careful. We got a note with everything that happened, and a tired, happy animal."),
    (5, "Clear price, no surprises, and somebody who listens. Booked again for next week."),
    (5, "Our shy one needed a moment to warm up and was given exactly that."),
    (4, "Very good care. The handover took a little longer than planned, otherwise perfect."),
    (4, "Friendly and well organized. Would like a few more photos next time."),
    (5, "Everything as described, down to the minute."),
    (3, "Fine in the end, but we had to explain the feeding notes twice."),
)
REVIEWS_OF_OWNERS = (
    (5, "Everything was ready when we came, and the pet is just as described."),
    (5, "Friendly, on time, clear notes. Gladly again."),
    (5, "Answers within minutes. A pleasure."),
    (4, "A lovely animal. We waited ten minutes at the door."),
    (4, "Good notes. Pulls more on the leash than we were told."),
)
THANKS = (
    "Thank you! We had a good time together and look forward to the next visit.",
    "Thank you for the kind words. Give the little one a treat from us.",
    "That is good to read. See you soon!",
)
SORRY = (
    "Thank you for telling us. Notes about feeding now hang on the wall next to the bowls.",
    "We are sorry that you had to ask twice. We have talked about it in the team.",
)
NOTES = (
    "Please ring twice, the bell is quiet.",
    "Shy with other dogs, fine with people.",
    "The leash hangs behind the door.",
    "Gets a treat only after the walk.",
    "",
    "",
)
