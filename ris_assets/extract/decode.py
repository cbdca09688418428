"""Raw BSON to a frame with one column per reading: two ways, one result.

The fast way decodes straight into Arrow and is strict. Documents that surprise it go the exact way, which
converts what converts and reports the rest. Nothing becomes null on the quiet.
"""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from ris_assets.extract.arrow import ArrowDecoder, NotArrowError
from ris_assets.extract.dump import document_offsets
from ris_assets.extract.exact import decode_exactly, documents_of
from ris_assets.extract.plan import ROW, Decoded, ReadingPlan

_SAMPLE = 200
_PIECE = 256
"""Documents below which a piece that surprises is decoded exactly rather than halved."""
_HOPELESS, _RETRY = 0.25, 20
"""Above this share of exactly decoded documents halving is given up, but for every so many-th batch."""


class BatchDecoder:
    """Decodes the batches of one collection along one plan."""

    def __init__(self, plan: ReadingPlan) -> None:
        """Nothing is decoded yet; types of ids are learnt from the first documents of a batch."""
        self._plan = plan
        documents = [r for r in plan.readings if r.kind == "jsonb"] if not plan.explode else []
        self._fast_plan = replace(
            plan, readings=tuple(r for r in plan.readings if r not in documents)
        )
        self._documents = replace(plan, readings=tuple(documents)) if documents else None
        """Embedded documents kept as JSON: read one by one, beside what goes the fast way."""
        self._arrow: ArrowDecoder | None = None
        self._batches = 0
        self._share = 0.0

    def decode(self, raw: bytes) -> Decoded:
        """Decode one batch of back-to-back BSON documents."""
        offsets = document_offsets(raw)
        self._batches += 1
        if self._share > _HOPELESS and self._batches % _RETRY:
            return decode_exactly(raw, self._plan)
        try:
            return self._fast(raw, offsets)
        except NotArrowError:
            self._arrow = None
        pieces = list(self._pieces(raw, offsets))
        total = len(offsets) - 1
        self._share = sum(p.documents for p, is_exact in pieces if is_exact) / max(total, 1)
        return _joined([piece for piece, _ in pieces], self._plan)

    def _fast(self, raw: bytes, offsets: list[int]) -> Decoded:
        if self._arrow is None:
            first = documents_of(raw[: offsets[: _SAMPLE + 1][-1]])
            self._arrow = ArrowDecoder(self._fast_plan, first)
        found = self._arrow.decode(raw, len(offsets) - 1)
        if self._documents is None:
            return found
        beside = decode_exactly(raw, self._documents)
        frame = found.frame.hstack(beside.frame.drop(ROW)).select(list(self._plan.frame_schema))
        return Decoded(frame, beside.misfits, found.documents)

    def _pieces(self, raw: bytes, offsets: list[int]) -> Iterator[tuple[Decoded, bool]]:
        """Halve until a piece goes the fast way or is small; each piece, and whether it went exactly."""
        count = len(offsets) - 1
        if count <= _PIECE:
            yield decode_exactly(raw, self._plan), True
            return
        middle = count // 2
        for cuts in (offsets[: middle + 1], offsets[middle:]):
            piece = raw[cuts[0] : cuts[-1]]
            own = [cut - cuts[0] for cut in cuts]
            try:
                yield self._fast(piece, own), False
            except NotArrowError:
                self._arrow = None
                yield from self._pieces(piece, own)


def _joined(pieces: list[Decoded], plan: ReadingPlan) -> Decoded:
    """Pieces of one batch as one, rows numbered through."""
    frames, misfits, documents = [], [], 0
    for piece in pieces:
        frames.append(piece.frame.with_columns(pl.col(ROW) + documents))
        misfits += [replace(misfit, row=misfit.row + documents) for misfit in piece.misfits]
        documents += piece.documents
    return Decoded(
        pl.concat(frames) if frames else pl.DataFrame(schema=plan.frame_schema), misfits, documents
    )
