"""What is written to disk and read back: files that appear whole or not at all, JSON, arrays with records, no pickle.

One rule for numbers that are not finite, for which JSON has no word: in JSON they are null. Records, which are read
back as they were, keep them in words of their own (see `encode`), and never as null.
"""

from splinescope.storage.archives import check_content, content_limit, load_archive, load_array
from splinescope.storage.arrays import Stored, read_arrays, write_arrays
from splinescope.storage.lines import LineFile
from splinescope.storage.records import class_name, decode, encode, fingerprint
from splinescope.storage.replacement import claimed, own_folder, replacing
from splinescope.storage.shapes import are_offsets, check_shapes, within
from splinescope.storage.texts import from_json, json_text, write_json

__all__ = [
    "LineFile",
    "Stored",
    "are_offsets",
    "check_content",
    "check_shapes",
    "claimed",
    "class_name",
    "content_limit",
    "decode",
    "encode",
    "fingerprint",
    "from_json",
    "json_text",
    "load_archive",
    "load_array",
    "own_folder",
    "read_arrays",
    "replacing",
    "within",
    "write_arrays",
    "write_json",
]
