"""Noise of other projects in, protected sets out. Nothing is unpickled on the way in and nothing pickled on the way out."""

from unlearnable.exchange.incoming import import_noise, loader_order
from unlearnable.exchange.outgoing import Exported, Layout, export_set

__all__ = ["Exported", "Layout", "export_set", "import_noise", "loader_order"]
