"""What is counted of one field while documents stream by."""

from collections import Counter
from typing import Any

from ris_assets.extract.profiling.sketch import Sketch, digest
from ris_assets.extract.profiling.values import (
    as_milliseconds,
    as_number,
    text_kind,
    type_name,
)

MOST_VALUES = 60
"""Differing values of a field up to which each is counted."""
_LONGEST_KEPT = 80
_TEXTS_LOOKED_AT = 300
_DAY = 86_400_000

Number = int | float


class Range:
    """Smallest, largest and mean of numbers."""

    __slots__ = ("count", "maximum", "minimum", "total")

    def __init__(self) -> None:
        """Nothing seen."""
        self.count = 0
        self.total: Number = 0
        self.minimum: Number | None = None
        self.maximum: Number | None = None

    def add(self, number: Number, times: int = 1) -> None:
        """See a number."""
        self.count += times
        self.total += number * times
        self.minimum = number if self.minimum is None else min(self.minimum, number)
        self.maximum = number if self.maximum is None else max(self.maximum, number)

    def merge(self, other: "Range") -> None:
        """See what another has seen."""
        if other.minimum is not None and other.maximum is not None:
            low = min(other.minimum, other.minimum if self.minimum is None else self.minimum)
            high = max(other.maximum, other.maximum if self.maximum is None else self.maximum)
            self.minimum, self.maximum = low, high
        self.count += other.count
        self.total += other.total

    @property
    def mean(self) -> float | None:
        """The mean, None if nothing was seen."""
        return self.total / self.count if self.count else None


class Tally:
    """Types, values, ranges and lengths of one field."""

    __slots__ = (
        "dates",
        "days",
        "kinds",
        "lengths",
        "numbers",
        "sizes",
        "sketch",
        "texts",
        "types",
        "values",
    )

    def __init__(self, sketch_size: int) -> None:
        """Nothing seen; `sketch_size` bounds the memory for differing values."""
        self.types: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.texts = 0
        self.values: Counter[Any] | None = Counter()
        self.sketch = Sketch(sketch_size)
        self.numbers: Range | None = None
        self.dates: Range | None = None
        self.days = 0
        """Dates at midnight UTC."""
        self.lengths: Range | None = None
        self.sizes: Range | None = None

    def add(self, value: Any) -> None:
        """See a value that is neither a document nor an array."""
        if isinstance(value, str) and not value.strip():
            value = None  # as it is read: exports of tables know no other null
        self.types[type_name(value)] += 1
        if value is None:
            return
        if isinstance(value, str):
            self._text(value)
            value = str(value[:_LONGEST_KEPT])
        elif (number := as_number(value)) is not None:
            self.numbers = self.numbers or Range()
            self.numbers.add(number)
        elif (instant := as_milliseconds(value)) is not None:
            self.dates = self.dates or Range()
            self.dates.add(instant)
            self.days += instant % _DAY == 0
        self._differing(value)

    def add_array(self, size: int) -> None:
        """See an array of that many elements."""
        self.types["array"] += 1
        self.sizes = self.sizes or Range()
        self.sizes.add(size)

    def _text(self, text: str) -> None:
        self.lengths = self.lengths or Range()
        self.lengths.add(len(text))
        if self.texts < _TEXTS_LOOKED_AT:
            self.texts += 1
            self.kinds[text_kind(text[:200]) or "text"] += 1

    def _differing(self, value: Any) -> None:
        if not isinstance(value, bool):
            small = value if not isinstance(value, bytes) or len(value) <= _LONGEST_KEPT else None
            self.sketch.add(digest(value), small)
        if self.values is not None and isinstance(value, (str, int)):
            self.values[value] += 1
            if len(self.values) > MOST_VALUES:
                self.values = None

    def merge(self, other: "Tally") -> None:
        """See all that another field has seen."""
        self.types += other.types
        self.kinds += other.kinds
        self.texts += other.texts
        self.days += other.days
        self.sketch.merge(other.sketch)
        self.values = _together(self.values, other.values)
        for name in ("numbers", "dates", "lengths", "sizes"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine and theirs:
                mine.merge(theirs)
            else:
                setattr(self, name, mine or theirs)


def _together(one: Counter[Any] | None, other: Counter[Any] | None) -> Counter[Any] | None:
    if one is None or other is None:
        return None
    both = one + other
    return both if len(both) <= MOST_VALUES else None
