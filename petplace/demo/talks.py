"""What the people of the demo town say to each other: (side, text)."""

Lines = tuple[tuple[str, str], ...]

TALKS: list[Lines] = [
    (
        ("owner", "Hello! Is there anything that we should bring?"),
        ("provider", "Hi! A towel that smells of home and a few treats are perfect."),
        ("owner", "Will do. He is a little shy in the first minutes, then he loves everyone."),
        ("provider", "No problem, we take our time. See you soon!"),
    ),
    (
        ("owner", "We may be five minutes late, the trains are slow today."),
        ("provider", "Thanks for telling us, that is fine."),
        ("owner", "Thank you!"),
    ),
    (
        ("provider", "Could you tell us what she weighs now? Then we choose the right table."),
        ("owner", "12.4 kg at the vet last week."),
        ("provider", "Great, thank you. Everything is ready for her."),
    ),
    (
        ("owner", "She had ear drops until yesterday. May she be washed?"),
        ("provider", "Yes, we keep the ears dry. Tell us if she scratches."),
        ("owner", "Thank you. You can also call me at 0170 1234567 that day."),
    ),
]
QUESTIONS: list[Lines] = [
    (
        ("owner", "Hello, do you also take two cats who live together? They should stay in one room."),
        ("provider", "Hello! Yes, we have a room for two. When would you need it?"),
        ("owner", "In the second week of next month, five nights."),
        ("provider", "That looks free. Choose the nights on our page and both cats, then it is kept for you."),
    ),
    (
        ("owner", "Hi, our dog has a thick undercoat. Which of your services is the right one?"),
        ("provider", "Full grooming, it includes brushing out. It takes about two hours."),
        ("owner", "Perfect. Are Saturdays possible?"),
    ),
]
QUICK_REPLIES = [
    ("On the way", "We are on our way and will be there in about ten minutes."),
    ("What to bring", "Please bring a towel that smells of home, a few treats and the vaccination passport."),
    ("Ready", "All done! You can pick up your pet now."),
]
