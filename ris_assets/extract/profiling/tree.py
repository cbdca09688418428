"""The shape of a collection while its documents stream by: a tree of keys, bounded in size.

Keys that are data (ids, dates, numbers, or simply very many) become one branch, `*`.
"""

import re
from collections.abc import Iterator
from typing import Any

from ris_assets.extract.profiling.sketch import Sketch, digest
from ris_assets.extract.profiling.tally import Tally
from ris_assets.extract.profiling.values import EMAIL

ANY_KEY = "*"
ELEMENT = "[]"
MOST_PATHS = 50_000
MOST_KEYS = 200
"""Differing keys of one level that only a minority of its objects have."""
MOST_KEYS_OF_FEW = 2_000
"""The same while too few objects have been seen to tell a minority."""
_FEW_OBJECTS = 10
_DEEPEST = 40
_ELEMENTS_LOOKED_AT = 1_000
_SKETCHES = ((300, 1024), (4_000, 128), (MOST_PATHS, 24))
"""Differing values kept a path, by how many paths there are already: some 300 MB at the very worst."""
_DATA_KEY = re.compile(
    r"^(?:[+-]?\d[\d.,:_ TZ+-]*|[0-9a-f]{24}|[0-9a-f]{32}"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$",
    re.IGNORECASE,
)


class Node:
    """One key: what its values are, and the keys beneath it."""

    __slots__ = ("children", "collapses_at", "is_collapsed", "key", "objects", "seen", "tally")

    def __init__(self, key: str, sketch_size: int = _SKETCHES[0][1]) -> None:
        """Nothing seen yet."""
        self.key = key
        self.seen = 0
        self.objects = 0
        self.tally = Tally(sketch_size)
        self.children: dict[str, Node] = {}
        self.collapses_at = MOST_KEYS
        self.is_collapsed = False

    def merge(self, other: "Node") -> None:
        """See all that another branch has seen."""
        self.seen += other.seen
        self.objects += other.objects
        self.tally.merge(other.tally)
        for key, child in other.children.items():
            if key in self.children:
                self.children[key].merge(child)
            else:
                self.children[key] = child

    @property
    def size(self) -> int:
        """Nodes of this branch, itself included."""
        return 1 + sum(child.size for child in self.children.values())


class Tree:
    """The keys of a collection."""

    def __init__(self) -> None:
        """An empty collection."""
        self.root = Node("")
        self._nodes = 0
        self._further = Sketch(_SKETCHES[0][1])

    @property
    def further_paths(self) -> int:
        """Paths that were seen but not kept, as an estimate where there are many."""
        return self._further.distinct

    def add(self, document: dict[str, Any]) -> None:
        """See a document."""
        self.root.seen += 1
        self._object(self.root, document, 0)

    def paths(self) -> Iterator[tuple[tuple[str, ...], Node, Node]]:
        """Every key with its way from the root and the level above, parents first."""
        yield from _walk(self.root, ())

    def _see(self, node: Node, value: Any, depth: int) -> None:
        node.seen += 1
        if isinstance(value, dict):
            node.tally.types["object"] += 1
            self._object(node, value, depth)
        elif isinstance(value, list):
            node.tally.add_array(len(value))
            self._array(node, value, depth)
        else:
            node.tally.add(value)

    def _object(self, node: Node, value: dict[str, Any], depth: int) -> None:
        node.objects += 1
        for key, inner in value.items():
            child = self._child(node, key, depth)
            if child is not None:
                self._see(child, inner, depth + 1)

    def _array(self, node: Node, elements: list[Any], depth: int) -> None:
        child = self._child(node, ELEMENT, depth) if elements else None
        if child is not None:
            for element in elements[:_ELEMENTS_LOOKED_AT]:
                self._see(child, element, depth + 1)

    def _child(self, node: Node, key: str, depth: int) -> Node | None:
        found = node.children.get(key)
        if found is not None:
            return found
        if key is not ELEMENT and (node.is_collapsed or is_data(key)):
            key = ANY_KEY
        elif len(node.children) >= node.collapses_at:
            key = self._collapse(node, key)
        return node.children.get(key) or self._grow(node, key, depth)

    def _grow(self, node: Node, key: str, depth: int) -> Node | None:
        if self._nodes >= MOST_PATHS or depth >= _DEEPEST:
            self._further.add(digest(f"{id(node)} {key}"))
            return None
        self._nodes += 1
        child = Node(key, next(size for nodes, size in _SKETCHES if self._nodes <= nodes))
        node.children[key] = child
        return child

    def _collapse(self, node: Node, key: str) -> str:
        """Turn the keys that few objects have into one branch; where the new key belongs."""
        rare = [child for child in node.children.values() if _is_rare(child, node)]
        most = MOST_KEYS if node.objects >= _FEW_OBJECTS else MOST_KEYS_OF_FEW
        if len(rare) < most:
            node.collapses_at = len(node.children) + max(1, most - len(rare))
            return key
        before = node.size
        branch = node.children.get(ANY_KEY) or Node(ANY_KEY)
        for child in rare:
            branch.merge(node.children.pop(child.key))
        node.children[ANY_KEY] = branch
        node.is_collapsed = True
        self._nodes += node.size - before
        return ANY_KEY


def is_data(key: str) -> bool:
    """Whether a key looks like an id, a date, a number or somebody's address."""
    return bool(_DATA_KEY.match(key) or EMAIL.search(key))


def _is_rare(child: Node, parent: Node) -> bool:
    if child.key in ("_id", ANY_KEY, ELEMENT):
        return False
    return parent.objects < _FEW_OBJECTS or child.seen < parent.objects / 2


def _walk(node: Node, way: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node, Node]]:
    for key, child in node.children.items():
        yield (*way, key), child, node
        yield from _walk(child, (*way, key))
