"""Flat pictures for the demo, drawn rather than photographed: pets, emblems and small scenes."""

import io
import random
from functools import cache

from PIL import Image, ImageDraw

SIZE = 480
SCALE = 2  # drawn twice as large, then reduced: smooth edges
BACKDROPS = ["#fde8d7", "#dcefe6", "#e3e6fb", "#fbe3ea", "#fdf1c9", "#d9edf7", "#ece4f6", "#e4f0d0"]
COATS = {
    "dog": [("#c98d57", "#8a5a33"), ("#f1d8b4", "#b98550"), ("#6d5a4b", "#42352b"), ("#e9e2da", "#9a8a7c"), ("#3f3a3a", "#d8a05f")],
    "cat": [("#f0a860", "#b96c2c"), ("#8d8f99", "#5b5d67"), ("#33323a", "#5d5b66"), ("#efe7dc", "#c9a98a"), ("#b8a38c", "#75624d")],
    "rabbit": [("#e8dfd6", "#f3bfc0"), ("#a98b72", "#e9b9b4"), ("#6f6a6c", "#e5b3b3")],
    "bird": [("#57b26a", "#f2c14e"), ("#4d9de0", "#f2f2f2"), ("#f2c14e", "#ef7d57")],
    "reptile": [("#7fa650", "#4f6f2f"), ("#b59f5b", "#7a6835")],
    "small_mammal": [("#d9a066", "#f6e3cb"), ("#8c7a6b", "#efe0d2")],
    "other": [("#a58fd0", "#6d589b")],
}  # fmt: skip
INK = "#2b2530"


def _canvas(color: str, width: int = SIZE, height: int = SIZE) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width * SCALE, height * SCALE), color)
    return image, ImageDraw.Draw(image)


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.reduce(SCALE).quantize(96, method=Image.Quantize.FASTOCTREE).save(out, "PNG")
    return out.getvalue()


def _blob(draw: ImageDraw.ImageDraw, x: float, y: float, rx: float, ry: float, fill: str) -> None:
    """Draw an ellipse around (x, y) with radii (rx, ry), in hundredths of the picture."""
    unit = SIZE * SCALE / 100
    draw.ellipse([(x - rx) * unit, (y - ry) * unit, (x + rx) * unit, (y + ry) * unit], fill=fill)


def _shape(draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], fill: str) -> None:
    unit = SIZE * SCALE / 100
    draw.polygon([(x * unit, y * unit) for x, y in points], fill=fill)


def _eyes(draw: ImageDraw.ImageDraw, y: float, gap: float, radius: float = 4.2) -> None:
    for x in (50 - gap, 50 + gap):
        _blob(draw, x, y, radius, radius * 1.15, INK)
        _blob(draw, x + radius * 0.35, y - radius * 0.4, radius * 0.34, radius * 0.34, "#ffffff")


@cache
def pet(species: str, variant: int) -> bytes:
    """Return a PNG portrait, the same for the same arguments."""
    coats = COATS[species]
    coat, accent = coats[variant % len(coats)]
    image, draw = _canvas(BACKDROPS[(variant * 3 + len(species)) % len(BACKDROPS)])
    _blob(draw, 50, 112, 46, 38, coat)  # shoulders
    if species == "dog":
        _blob(draw, 24, 48, 11, 24, accent)
        _blob(draw, 76, 48, 11, 24, accent)
        _blob(draw, 50, 50, 30, 32, coat)
        _blob(draw, 50, 64, 17, 15, "#f7ead9")
        _eyes(draw, 45, 12)
        _blob(draw, 50, 57, 6, 4.4, INK)
        _blob(draw, 50, 73, 4.5, 6, "#e2788a")
    elif species == "cat":
        for side in (-1, 1):
            _shape(draw, [(50 + side * 30, 12), (50 + side * 6, 28), (50 + side * 32, 48)], coat)
            _shape(draw, [(50 + side * 27, 19), (50 + side * 12, 30), (50 + side * 28, 42)], "#f3b6b6")
        _blob(draw, 50, 52, 32, 29, coat)
        for x in (40, 50, 60):
            _blob(draw, x, 28, 2, 7, accent)
        _blob(draw, 50, 65, 14, 10, "#fbf3ea")
        _eyes(draw, 49, 14, 4.6)
        _shape(draw, [(46.5, 59), (53.5, 59), (50, 63)], "#d9707f")
    elif species == "rabbit":
        for side in (-1, 1):
            _blob(draw, 50 + side * 13, 22, 8, 26, coat)
            _blob(draw, 50 + side * 13, 23, 4, 20, accent)
        _blob(draw, 50, 58, 28, 27, coat)
        _blob(draw, 50, 69, 13, 10, "#fbf6f1")
        _eyes(draw, 53, 13)
        _shape(draw, [(47, 63), (53, 63), (50, 66.5)], "#d9707f")
    elif species == "bird":
        _blob(draw, 50, 50, 29, 31, coat)
        _blob(draw, 50, 74, 20, 22, accent)
        _shape(draw, [(43, 17), (50, 4), (57, 17)], accent)
        _eyes(draw, 44, 14)
        _shape(draw, [(42, 54), (58, 54), (50, 67)], "#ee9b3b")
    elif species == "reptile":
        _blob(draw, 50, 56, 33, 23, coat)
        _blob(draw, 28, 38, 10, 10, coat)
        _blob(draw, 72, 38, 10, 10, coat)
        for x in (28, 72):
            _blob(draw, x, 37, 6, 6, "#fdf4c5")
            _blob(draw, x, 37, 2, 5, INK)
        for x, y in ((38, 50), (50, 44), (62, 50), (50, 54)):
            _blob(draw, x, y, 3, 2.4, accent)
        _blob(draw, 44, 62, 1.2, 1.2, INK)
        _blob(draw, 56, 62, 1.2, 1.2, INK)
    else:
        _blob(draw, 26, 34, 10, 10, coat)
        _blob(draw, 74, 34, 10, 10, coat)
        _blob(draw, 26, 34, 6, 6, "#f0b7b0")
        _blob(draw, 74, 34, 6, 6, "#f0b7b0")
        _blob(draw, 50, 55, 31, 28, coat)
        _blob(draw, 50, 66, 20, 15, accent)
        _eyes(draw, 48, 14)
        _blob(draw, 50, 58, 3.2, 2.4, "#c76a72")
    return _png(image)


EMBLEM_COLORS = {
    "sitter": ("#0f766e", "#ccfbf1"),
    "walker": ("#b45309", "#fef3c7"),
    "groomer": ("#9d174d", "#fce7f3"),
    "trainer": ("#1d4ed8", "#dbeafe"),
    "clinic": ("#047857", "#d1fae5"),
    "shop": ("#6d28d9", "#ede9fe"),
}


@cache
def emblem(kind: str, variant: int) -> bytes:
    """Return a PNG emblem of a business: a paw on the color of its kind."""
    strong, soft = EMBLEM_COLORS[kind]
    back, mark = (strong, soft) if variant % 2 else (soft, strong)
    image, draw = _canvas(back)
    if variant % 3 == 0:
        _blob(draw, 50, 50, 40, 40, mark)
        mark = back
    elif variant % 3 == 1:
        _blob(draw, 84, 16, 26, 26, "#ffffff" if back == soft else mark)
    tilt = (variant % 5 - 2) * 1.5
    _blob(draw, 50, 60, 15, 12.5, mark)
    for x, y, rx, ry in ((29, 47, 5.5, 7.5), (42, 36, 6, 8.5), (58, 36, 6, 8.5), (71, 47, 5.5, 7.5)):
        _blob(draw, x + tilt, y - abs(tilt) / 2, rx, ry, mark)
    return _png(image)


@cache
def scene(kind: str, variant: int) -> bytes:
    """Return a PNG of 960 x 600 that shows where a kind of business works: a park, a room, a counter."""
    rng = random.Random(f"{kind}{variant}")  # noqa: S311
    width, height = 960, 600
    strong, soft = EMBLEM_COLORS[kind]
    outdoors = kind in ("walker", "trainer")
    image, draw = _canvas("#d7ecf7" if outdoors else soft, width, height)
    s = SCALE

    def box(x: float, y: float, w: float, h: float, fill: str, radius: float = 0) -> None:
        draw.rounded_rectangle([x * s, y * s, (x + w) * s, (y + h) * s], radius * s, fill=fill)

    def disc(x: float, y: float, r: float, fill: str) -> None:
        draw.ellipse([(x - r) * s, (y - r) * s, (x + r) * s, (y + r) * s], fill=fill)

    if outdoors:
        disc(rng.randint(120, 840), 110, 54, "#ffd98a")
        for x in (80, 420, 760):
            disc(x + rng.randint(-60, 60), 560, 280, "#b9d9a4")
        box(0, 430, width, 170, "#95c27e")
        draw.polygon(
            [(380 * s, height * s), (600 * s, height * s), (520 * s, 430 * s), (480 * s, 430 * s)], fill="#efe0bd"
        )
        for _ in range(6):
            x = rng.choice([rng.randint(30, 330), rng.randint(640, 930)])
            y = rng.randint(380, 460)
            box(x - 8, y, 16, 80, "#8a6543")
            disc(x, y - 30, rng.randint(44, 66), rng.choice(["#5d9d5a", "#6faf63", "#4e8d55"]))
    else:
        box(0, 430, width, 170, "#e8d8c4")
        box(90 + rng.randint(-20, 40), 90, 220, 190, "#ffffff", 12)
        box(105 + rng.randint(-10, 20), 105, 190, 160, "#cfe8f5", 8)
        for shelf in range(2):
            box(560, 130 + shelf * 110, 300, 12, strong, 6)
            for item in range(5):
                h = rng.randint(34, 66)
                box(
                    575 + item * 56,
                    130 + shelf * 110 - h,
                    38,
                    h,
                    rng.choice(["#ffffff", strong, "#f2c14e", "#ef8f6b"]),
                    8,
                )
        box(140, 370, 680, 40, strong, 14)
        box(180, 410, 36, 130, strong)
        box(744, 410, 36, 130, strong)
    coat, ear = rng.choice(COATS["dog" if outdoors or rng.random() < 0.6 else "cat"])
    x, y = rng.randint(380, 560), 500 if outdoors else 320
    draw.ellipse([(x - 92) * s, (y - 44) * s, (x + 66) * s, (y + 50) * s], fill=coat)
    for leg in (-66, -40, 26, 48):
        box(x + leg, y + 20, 18, 62 if outdoors else 40, coat, 9)
    disc(x + 78, y - 46, 40, coat)
    draw.ellipse([(x + 46) * s, (y - 78) * s, (x + 70) * s, (y - 20) * s], fill=ear)
    disc(x + 90, y - 54, 5, INK)
    disc(x + 114, y - 40, 8, INK)
    draw.line([((x - 86) * s, (y - 10) * s), ((x - 128) * s, (y - 62) * s)], fill=coat, width=18 * s)
    return _png(image)


@cache
def paper(title: str) -> bytes:
    """Return a PNG page that says plainly that it is none."""
    image, draw = _canvas("#ffffff", 420, 594)
    s = SCALE
    draw.text((36 * s, 40 * s), title, fill=INK, font_size=26 * s)
    for line in range(9):
        draw.rectangle(
            [36 * s, (110 + line * 34) * s, (384 - line % 3 * 60) * s, (122 + line * 34) * s], fill="#e6e1da"
        )
    draw.text((36 * s, 470 * s), "DEMO, not a document", fill="#c0392b", font_size=30 * s)
    return _png(image)
