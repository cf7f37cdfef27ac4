"""A slow reader of coded planes, beside the one in the page: rings as lists of vertices, with whole numbers."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from splinescope.viewer.packing import hilbert_places


@dataclass
class Bits:
    """Range coding, in integers of any length."""

    data: bytes
    at: int = 5
    low: int = 0
    span: int = 0xFFFFFFFF
    chances: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.low = int.from_bytes(self.data[1:5], "big")

    def _refill(self) -> None:
        while self.span < 1 << 24:
            byte = self.data[self.at] if self.at < len(self.data) else 0
            self.span, self.low, self.at = self.span << 8, self.low << 8 | byte, self.at + 1

    def bit(self, place: int) -> int:
        chance = self.chances.get(place, 1 << 14)
        bound = (self.span >> 15) * chance
        bit = int(self.low >= bound)
        if bit:
            self.low, self.span = self.low - bound, self.span - bound
            self.chances[place] = chance - (chance >> 5)
        else:
            self.span = bound
            self.chances[place] = chance + (((1 << 15) - chance) >> 5)
        self._refill()
        return bit

    def plain(self, bits: int, value: int = 0) -> int:
        while bits:
            some = min(bits, 12)
            self.span >>= some
            part = min(self.low // self.span, (1 << some) - 1)
            self.low -= part * self.span
            value, bits = value << some | part, bits - some
            self._refill()
        return value

    def number(self, model: int) -> int:
        node = 1
        for _ in range(6):
            node = 2 * node + self.bit(128 * model + node)
        length = node - 64
        return length if length < 2 else self.plain(length - 2, 2 + self.bit(128 * model + 64 + length))

    def signed(self, model: int) -> int:
        size = self.number(model)
        return -size if size and self.bit(128 * model + 127) else size


@dataclass
class Front:
    """Half-edges by number: what follows each, what comes before, where it starts, and edges that are still to come."""

    after: dict[int, int] = field(default_factory=dict)
    before: dict[int, int] = field(default_factory=dict)
    start: dict[int, int] = field(default_factory=dict)
    free: dict[int, int] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    degrees: list[int] = field(default_factory=list)
    border: int = 0
    gates: list[int] = field(default_factory=list)

    def link(self, one: int, two: int) -> None:
        self.after[one], self.before[two] = two, one


def front_of(bits: Bits) -> Front:
    """All rings."""
    f = Front()
    f.border = count = bits.number(0)
    waiting = []
    for edge in range(count):
        f.degrees.append(2 + bits.number(1))
        f.start |= {2 * edge: edge, 2 * edge + 1: (edge + 1) % count}
        f.after[2 * edge] = 2 * ((edge + 1) % count)
        f.link(2 * ((edge + 1) % count) + 1, 2 * edge + 1)
        f.open.add(2 * edge + 1)
        waiting.append(2 * edge + 1)
    f.free = {2 * edge + 1: f.degrees[(edge + 1) % count] - 2 for edge in range(count)}
    edges = count
    while waiting:
        gate = waiting.pop()
        if gate not in f.open:
            continue
        f.gates.append(gate)
        chain = [gate]
        while f.after[chain[-1]] != gate and f.free[f.after[chain[-1]]] == 0:
            chain.append(f.after[chain[-1]])
        whole = f.after[chain[-1]] == gate and f.free[gate] == 0
        while not whole and f.free[chain[0]] == 0:
            chain.insert(0, f.before[chain[0]])
        f.open -= set(chain)
        if not whole:
            edges = _closed(f, bits, chain, waiting, edges)
    return f


def _closed(f: Front, bits: Bits, chain: list[int], waiting: list[int], edges: int) -> int:
    """Draw the edges that close a ring."""
    first, behind, anchor, joint = chain[0], f.before[chain[0]], f.after[chain[-1]], True
    while True:
        half, back, edges = 2 * edges, 2 * edges + 1, edges + 1
        place = 128 * 5 + 2 * (4 * min(len(chain), 10) + 2 * (f.free[first] > 1) + (f.free[anchor] > 1))
        f.start[half] = f.start[anchor]
        f.open.add(back)
        waiting.append(back)
        if joint:
            f.free[anchor] -= 1
        f.after[chain[-1]] = half
        f.link(back, anchor)
        chain.append(half)
        if not bits.bit(place):
            f.start[back] = len(f.degrees)
            f.degrees.append(2 + bits.number(2))
            f.free[back], anchor, joint = f.degrees[-1] - 2, back, False
            continue
        if not bits.bit(place + 1):
            f.start[back], f.free[back] = f.start[first], f.free[first] - 1
            f.link(behind, back)
            f.after[half] = first
            return edges
        walk, gap = bits.number(3), bits.number(4)
        wanted = behind if walk & 1 else anchor
        for _ in range(walk >> 1):
            wanted = f.before[wanted] if walk & 1 else f.after[wanted]
        f.start[back], f.free[back] = f.start[wanted], f.free[wanted] - 1 - gap
        f.link(f.before[wanted], back)
        joint = True
        if gap:
            f.free[wanted], anchor = gap, wanted
            continue
        f.after[half] = wanted
        chain.append(wanted)
        while f.free[f.after[chain[-1]]] == 0 and f.after[chain[-1]] != first:
            chain.append(f.after[chain[-1]])
        f.open -= set(chain)
        anchor = f.after[chain[-1]]


def ring(f: Front, gate: int) -> list[int]:
    """Half-edges of a face."""
    found, half = [gate], f.after[gate]
    while half != gate:
        found.append(half)
        half = f.after[half]
    return found


def across_of(f: Front) -> dict[int, int]:
    """How each half-edge goes on backwards, where it does."""
    found = {}
    for half, vertex in f.start.items():
        turns = [half]
        while (turned := f.after[turns[-1] ^ 1]) != half:
            turns.append(turned)
        if f.degrees[vertex] == 4:
            found[half] = turns[2]
        elif f.degrees[vertex] == 3 and half // 2 < f.border:
            found[half] = next(turn for turn in turns[1:] if turn // 2 < f.border)
    return found


def units_of(f: Front, bits: Bits, across: dict[int, int], width: int) -> list[int]:
    """The unit of each edge plus one."""
    fold = list(range(len(f.start) // 2))
    for half, other in across.items():
        one, two = fold[half // 2], fold[other // 2]
        if one != two:
            fold = [min(one, two) if name in (one, two) else name for name in fold]
    units: list[int] = []
    for edge, first in enumerate(fold):
        units.append(units[first] if first != edge and not bits.bit(128 * 86) else bits.plain(width))
    return units


def places_of(f: Front, bits: Bits, across: dict[int, int], layers: list[int], most: float) -> list[list[float]]:
    """Whole numbers as floats, as the encoder has them."""
    points: list[list[float]] = []
    leaving: dict[int, int] = {}
    for half in sorted(f.start):
        leaving.setdefault(f.start[half], half)

    def line(half: int, vertex: int) -> tuple[int, list[float], list[float]] | None:
        near = f.start[half ^ 1]
        if near >= vertex:
            return None
        layer, at = layers[half // 2], points[near]
        if half in across:
            other = f.start[across[half] ^ 1]
            if other < vertex and layer <= layers[f.after[half ^ 1] // 2] and points[other] != at:
                return 3, at, [points[other][i] - at[i] for i in range(2)]
        if (half ^ 1) not in across:
            return None
        far = f.start[across[half ^ 1] ^ 1]
        if far >= vertex or points[far] == at:
            return None
        return (2 if layer <= layers[f.after[half] // 2] else 1), at, [at[i] - points[far][i] for i in range(2)]

    def reach(share: float) -> int:
        return sum(abs(share) >= bound for bound in (1, 4, 16))

    for vertex in range(len(f.degrees)):
        best = second = None
        fold, near, half = -1, vertex - 1, leaving[vertex]
        while True:
            found = line(half, vertex)
            near = f.start[half ^ 1] if f.start[half ^ 1] < vertex else near
            if found and (best is None or found[0] > best[0]):
                if best is None or across.get(half, -1) != fold:
                    second = best
                best, fold = found, half
            elif found and (second is None or found[0] > second[0]) and across.get(half, -1) != fold:
                second = found
            half = f.after[half ^ 1]
            if half == leaving[vertex]:
                break
        if best is None:
            base = points[near] if near >= 0 else [0.0, 0.0]
            points.append([base[0] + bits.signed(6), base[1] + bits.signed(70)])
            continue
        sure, at, way = best
        share, less, far = 0.5 if sure == 3 else 1.0, 0, 0
        if second:
            _, other, turn = second
            cross = way[0] * turn[1] - way[1] * turn[0]
            if abs(cross) > 1e-4 * ((abs(way[0]) + abs(way[1])) * (abs(turn[0]) + abs(turn[1]))):
                met = ((other[0] - at[0]) * turn[1] - (other[1] - at[1]) * turn[0]) / cross
                if 0 < met < 64:
                    share, less, far = met, second[0], reach(met)
        along = 0 if abs(way[0]) >= abs(way[1]) else 1
        point = [0.0, 0.0]
        for axis, number in ((along, 6 + 16 * far + 4 * sure + less), (1 - along, 70 + sure)):
            if axis != along:
                share = (point[along] - at[along]) / way[along]
                number += 4 * reach(share)
            guess = math.floor(min(max(at[axis] + share * way[axis], 0.0), most) + 0.5)
            point[axis] = float(guess + bits.signed(number))
        points.append(point)
    return points


def values_of(f: Front, bits: Bits, model: int) -> list[int]:
    """A whole number of each face."""
    face = {half: number for number, gate in enumerate(f.gates) for half in ring(f, gate)}
    values: list[int] = []
    for gate in f.gates:
        known = [values[other] for half in ring(f, gate) if (other := face.get(half ^ 1, len(values))) < len(values)]
        guess = math.floor(sum(known) / len(known) + 0.5) if known else 0
        values.append(guess + bits.signed(model + min(len(known), 3)))
    return values


@dataclass
class Read:
    """A plane: rings of vertices and values in the order of the page, points, and units of edges by their ends."""

    rings: list[list[int]]
    points: np.ndarray
    units: dict[frozenset[int], int]
    values: list[np.ndarray]


def plane_of(data: bytes, coding: dict[str, Any], stops: list[int]) -> Read:
    """Read a coded plane."""
    bits, width = Bits(data), coding["bits"]
    f = front_of(bits)
    across = across_of(f)
    units = units_of(f, bits, across, coding["unit_bits"])
    layers = [bisect.bisect_left(stops, unit) if unit else -1 for unit in units]
    points = np.array(places_of(f, bits, across, layers, float((1 << width) - 1)))
    values = [values_of(f, bits, 87 + 4 * number) for number in range(len(coding["measures"]))]
    tiles = points[[f.start[gate] for gate in f.gates]].astype(np.int64) >> max(width - 10, 0)
    order = np.argsort(hilbert_places(tiles[:, 0], tiles[:, 1], 10), kind="stable")
    rings = [[f.start[half] for half in ring(f, f.gates[face])] for face in order]
    ends = {frozenset((f.start[2 * edge], f.start[2 * edge + 1])): unit for edge, unit in enumerate(units)}
    return Read(rings, points / (2.0**width - 1), ends, [np.array(column)[order] for column in values])
