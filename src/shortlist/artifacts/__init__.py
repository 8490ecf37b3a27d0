"""Fitted objects on disk: `container` is the format, `folder` what it asks of the file system."""

from shortlist.artifacts.container import State, left_behind, manifest_bytes, read, write
from shortlist.artifacts.folder import require_writable

__all__ = ["State", "left_behind", "manifest_bytes", "read", "require_writable", "write"]
