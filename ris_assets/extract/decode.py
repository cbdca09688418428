"""Raw BSON to a frame with one column per mapped path: two ways, one result.

The fast way decodes straight into Arrow and is strict. A batch that surprises it goes the exact way,
which converts what converts and reports the rest. Nothing becomes null on the quiet.
"""

from typing import Any

from ris_assets.extract.arrow import NotArrowError, arrow_schema, decode_with_arrow
from ris_assets.extract.dump import document_offsets
from ris_assets.extract.exact import decode_exactly, documents_of
from ris_assets.extract.plan import Decoded, PathPlan

_SAMPLE = 200


class BatchDecoder:
    """Decodes the batches of one collection along one plan."""

    def __init__(self, plan: PathPlan) -> None:
        """Nothing is decoded yet; types of ids are learnt from the first batch."""
        self._plan = plan
        self._schema: dict[str, Any] | None = None

    def decode(self, raw: bytes) -> Decoded:
        """Decode one batch of back-to-back BSON documents."""
        try:
            if self._schema is None:
                self._schema = arrow_schema(self._plan, _first_documents(raw))
            return decode_with_arrow(raw, self._plan, self._schema)
        except NotArrowError:
            return decode_exactly(raw, self._plan)


def _first_documents(raw: bytes) -> list[dict[str, Any]]:
    offsets = document_offsets(raw)[: _SAMPLE + 1]
    return documents_of(raw[: offsets[-1]])
