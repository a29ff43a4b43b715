"""Blocks: parts of a sheet, each filled in its own way from top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from model.detection import Box
from model.training.pages.canvas import Canvas, Colour, Line
from model.training.pages.ink import SIGNS, Inks
from model.training.synthesis.chance import happens
from model.training.synthesis.fonts import Face

RULINGS: tuple[Colour, ...] = (
    (200, 40, 50), (190, 60, 60), (60, 80, 170), (110, 140, 200), (90, 90, 90), (40, 40, 40),
    (150, 150, 150), (60, 130, 90), (225, 150, 150),
)  # fmt: skip


class Filling:
    """One sheet being filled in: a size of writing, a face of print, a colour of rulings."""

    def __init__(self, canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
        self.canvas, self.rng, self._inks = canvas, rng, inks
        self.size = float(np.exp(rng.uniform(np.log(0.014), np.log(0.042)))) * canvas.height
        if happens(0.12, rng):
            self.size *= float(rng.uniform(1.5, 3))
        self.hands = inks.hand(rng)
        faces = inks.pens.print_faces
        self.face: Face | None = faces[rng.integers(len(faces))] if faces else None
        self.bolder = float(rng.uniform(0, 2))
        self.ruling = RULINGS[rng.integers(len(RULINGS))]
        self.thick = float(np.exp(rng.uniform(np.log(0.0005), np.log(0.003)))) * canvas.height
        # Of the size of the writing, and of a character's width.
        self._unlike = float(rng.uniform(0.02, 0.2))
        self._gap = (
            float(rng.uniform(-0.02, 0.5)) if happens(0.8, rng) else float(rng.uniform(0.5, 2))
        )

    def new_hand(self) -> None:
        """Somebody else goes on."""
        self.hands = self._inks.hand(self.rng)

    def write(self, x: float, y: float, room: float, down: bool = False, least: int = 1) -> None:
        """A line of handwriting from there on, as far as there is room; y is its middle, or x."""
        line, rng = Line("vertical" if down else "horizontal"), self.rng
        lean = rng.normal(0, 0.008)
        end = (y if down else x) + room
        count = int(rng.integers(least, 30))
        while count:
            ink, colour = self.hands.next(rng)
            size = self.size * float(np.clip(rng.normal(1, self._unlike), 0.5, 1.6))
            # A small character stays small: each is as large against the others as it was written.
            scale = size / max(ink.cover.width, ink.cover.height)
            w, h = ink.cover.width * scale, ink.cover.height * scale
            if (y + h if down else x + w) > end:
                break
            aside = float(rng.normal(0, 0.06)) * size
            place = Box(x - w / 2 + aside, y, w, h) if down else Box(x, y - h / 2 + aside, w, h)
            strength = float(rng.uniform(0.7, 1))
            if box := self.canvas.lay(ink, place, colour, strength):
                line.characters.append((ink.text, box))
            gap = self._gap * size * float(rng.uniform(0.5, 1.5))
            if down:
                y, x = y + h + gap, x + lean * (h + gap)
            else:
                x, y = x + w + gap, y + lean * (w + gap)
            count -= 1
        if line.characters:
            self.canvas.lines.append(line)

    def put(self, box: Box) -> None:
        """One character of handwriting in the middle of a box, now and then over its edge."""
        ink, colour = self.hands.next(self.rng)
        fill = float(self.rng.uniform(0.45, 0.98)) * min(box.w, box.h)
        scale = fill / max(ink.cover.width, ink.cover.height)
        w, h = ink.cover.width * scale, ink.cover.height * scale
        x = box.x + (box.w - w) / 2 + float(self.rng.normal(0, 0.06)) * box.w
        y = box.y + (box.h - h) / 2 + float(self.rng.normal(0, 0.06)) * box.h
        if laid := self.canvas.lay(ink, Box(x, y, w, h), colour):
            self.canvas.lines[-1].characters.append((ink.text, laid))

    def print(
        self, x: float, y: float, size: float, count: int, latin: bool, down: bool = False
    ) -> float:
        """Printed characters from there on; where they end."""
        if self.face is None:
            return x
        grey = np.full(3, float(self.rng.uniform(15, 110)), np.float32)
        tint = grey if happens(0.85, self.rng) else np.array(self.ruling, np.float32)
        pool = SIGNS if latin else self._inks.pens.characters[self.face.name]
        for _ in range(count):
            character = str(pool[self.rng.integers(len(pool))])
            ink = self._inks.pens.printed(self.face, character, self.bolder)
            if ink is None:
                continue
            scale = size / 96
            w, h = ink.cover.width * scale, ink.cover.height * scale
            top = y - h / 2 if not latin else y + size / 2 - h
            if box := self.canvas.lay(ink, Box(x, top, w, h), tint):
                self.canvas.print.append(box)
            step = (w if latin else size) * 1.06 + 1
            x, y = (x, y + step) if down else (x + step, y)
            if latin and happens(0.12, self.rng):
                x += size / 2
        return x

    def label(self, x: float, y: float, room: float = np.inf) -> float:
        """The print that says what is to be filled in; where it ends."""
        size = float(np.clip(self.size * self.rng.uniform(0.35, 1.0), 9, 60))
        count = min(int(self.rng.integers(1, 7)), int(min(room / size, 9)) - 1)
        return self.print(x, y, size, count, happens(0.25, self.rng))


def prose(filling: Filling, area: Box) -> None:
    """Lines of handwriting, with or without rulings below."""
    rng, size = filling.rng, filling.size
    pitch = size * float(rng.uniform(1.25, 2.4))
    ruled, indent = happens(0.5, rng), float(rng.uniform(0, 2)) * size
    y = area.y + pitch
    while y < area.y + area.h:
        if ruled:
            at = y + pitch * 0.5
            filling.canvas.rule((area.x, at, area.x + area.w, at), filling.ruling, filling.thick)
        if not happens(0.15, rng):
            filling.write(area.x + indent, y, area.w - indent, least=5)
        y += pitch


def cells(filling: Filling, area: Box) -> None:
    """Rows of printed boxes, one character each."""
    rng = filling.rng
    side = filling.size * float(rng.uniform(1.05, 1.7))
    tall = side * float(rng.uniform(0.95, 1.3))
    apart = float(rng.uniform(0.1, 0.4)) * side if happens(0.25, rng) else 0.0
    y = area.y + 0.3 * side
    while y + tall < area.y + area.h:
        x = filling.label(area.x, y + tall / 2) + side / 2 if happens(0.6, rng) else area.x
        room = int((area.x + area.w - x) / (side + apart))
        count = int(rng.integers(1, max(2, room)))
        written = int(rng.integers(0, count + 1))
        filling.canvas.lines.append(Line("horizontal"))
        for number in range(count if room > 0 else 0):
            box = Box(x + number * (side + apart), y, side, tall)
            filling.canvas.frame(box, filling.ruling, filling.thick)
            if number < written:
                filling.put(box)
        if not filling.canvas.lines[-1].characters:
            filling.canvas.lines.pop()
        y += tall if happens(0.4, rng) else tall * float(rng.uniform(1.2, 2))


def table(filling: Filling, area: Box) -> None:
    """A table: a printed head, and writing, print or nothing in its cells."""
    rng, size = filling.rng, filling.size
    tall = size * float(rng.uniform(1.3, 2.4))
    edges = np.sort(rng.uniform(0.15, 0.85, rng.integers(1, 5)))
    edges = area.x + area.w * np.array([0, *edges, 1])
    rows = int(area.h / tall)
    for row in range(rows + 1):
        y = area.y + row * tall
        filling.canvas.rule((edges[0], y, edges[-1], y), filling.ruling, filling.thick)
        for left, right in pairwise(edges) if row < rows else ():
            inset = size * float(rng.uniform(0.15, 0.6))
            x, middle = left + inset, y + tall / 2
            if row == 0 or happens(0.06, rng):
                filling.label(x, middle, right - x)
            elif happens(0.65, rng) and right - x > size:
                filling.write(x, middle, right - x - 0.1 * size)
    for x in edges if happens(0.85, rng) else ():
        filling.canvas.rule((x, area.y, x, area.y + rows * tall), filling.ruling, filling.thick)


def form(filling: Filling, area: Box) -> None:
    """Printed labels, and writing behind them, on a line or on none."""
    rng, size = filling.rng, filling.size
    pitch = size * float(rng.uniform(1.5, 3))
    y = area.y + pitch / 2
    while y + pitch / 2 < area.y + area.h:
        x = area.x
        while x < area.x + area.w - 4 * size:
            x = filling.label(x, y) + size * float(rng.uniform(0.2, 1))
            room = float(rng.uniform(3, 14)) * size
            room = min(room, area.x + area.w - x)
            if happens(0.6, rng):
                at = y + 0.62 * size
                filling.canvas.rule((x, at, x + room, at), filling.ruling, filling.thick)
            if happens(0.8, rng):
                filling.write(x, y, room)
            x += room + size
        y += pitch


def columns(filling: Filling, area: Box) -> None:
    """Vertical writing from right to left."""
    rng, size = filling.rng, filling.size
    pitch = size * float(rng.uniform(1.25, 2.4))
    ruled = happens(0.5, rng)
    x = area.x + area.w - pitch / 2
    while x - pitch / 2 > area.x:
        if ruled:
            at = x + pitch / 2
            filling.canvas.rule((at, area.y, at, area.y + area.h), filling.ruling, filling.thick)
        y = area.y + float(rng.uniform(0, 1.5)) * size
        if happens(0.1, rng):
            filling.print(x - size / 3, y, size * 0.6, int(rng.integers(1, 5)), False, down=True)
        elif not happens(0.1, rng):
            filling.write(x, y, area.y + area.h - y, down=True, least=3)
        x -= pitch


def printed(filling: Filling, area: Box) -> None:
    """A paragraph of print."""
    rng = filling.rng
    size = float(np.exp(rng.uniform(np.log(8), np.log(max(10, 1.3 * filling.size)))))
    latin = happens(0.4, rng)
    y = area.y + size
    for _ in range(int(rng.integers(1, 7))):
        if y > area.y + area.h:
            break
        count = min(int(area.w / (size * (0.7 if latin else 1.08))) - 1, 60)
        filling.print(area.x, y, size, int(rng.integers(1, max(2, count))), latin)
        y += size * 1.5


Block = Callable[[Filling, Box], None]
BLOCKS: tuple[tuple[float, Block], ...] = (
    (0.25, prose), (0.22, cells), (0.16, table), (0.16, form), (0.09, columns), (0.12, printed),
)  # fmt: skip


def fill(filling: Filling) -> None:
    """The whole sheet, block below block; some sheets are of one kind alone."""
    canvas, rng = filling.canvas, filling.rng
    margin = float(rng.uniform(0.02, 0.12)) * canvas.width
    x, wide = margin, canvas.width - 2 * margin
    shares = np.array([share for share, _ in BLOCKS])
    kinds = [kind for _, kind in BLOCKS]
    if happens(0.12, rng):
        columns(filling, Box(x, margin, wide, canvas.height - 2 * margin))
        return
    y = float(rng.uniform(0.02, 0.15)) * canvas.height
    if happens(0.6, rng):
        filling.print(x + wide * 0.3, y, filling.size * float(rng.uniform(0.8, 1.6)), 4, False)
        y += 1.5 * filling.size
    only = kinds[rng.choice(len(kinds), p=shares)] if happens(0.35, rng) else None
    while y < canvas.height - margin - 2 * filling.size:
        tall = float(rng.uniform(0.08, 0.4)) * canvas.height
        tall = min(tall, canvas.height - margin - y)
        block = only or kinds[rng.choice(len(kinds), p=shares)]
        block(filling, Box(x, y, wide, tall))
        y += tall + float(rng.uniform(0, 1.5)) * filling.size
        if happens(0.2, rng):
            filling.new_hand()
