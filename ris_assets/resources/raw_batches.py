"""Raw batches that cost one object a reply.

The client's own make one of every document on the way to joining them again, because they look at the
reply through a class that expands arrays. That was half of the time of reading.
"""

from typing import Any

from bson import _convert_raw_document_lists_to_streams
from bson.raw_bson import _RAW_ARRAY_BSON_OPTIONS, RawBSONDocument, _RawArrayBSONDocument
from pymongo.cursor import RawBatchCursor


class RawBatches(RawBatchCursor[dict[str, Any]]):
    """What `find_raw_batches` gives; the array of documents in a reply is never expanded."""

    def _unpack_response(self, response: Any, *_: Any, **__: Any) -> Any:
        reply = dict(RawBSONDocument(response.payload_document))
        if (cursor := reply.get("cursor")) is not None:
            options: Any = _RAW_ARRAY_BSON_OPTIONS
            reply["cursor"] = dict(_RawArrayBSONDocument(cursor.raw, options))
            _convert_raw_document_lists_to_streams(reply)
        return [reply]
