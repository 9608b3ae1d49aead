"""Datasets for those who train offline: instances as rows of a file, and a manifest beside it.

Guarantee: `shapes` is pure; a file has its name only once it is complete, and its manifest says all that it takes to
make it again.
"""

from escalade.exports.export import Manifest, Request, export
from escalade.exports.files import ExportFailed
from escalade.exports.shapes import SHAPES, Shape

__all__ = ["SHAPES", "ExportFailed", "Manifest", "Request", "Shape", "export"]
