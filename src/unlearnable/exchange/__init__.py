"""Read noise of other projects, and write protected sets for other tools. Nothing is pickled or unpickled."""

from unlearnable.exchange.incoming import import_noise, loader_order
from unlearnable.exchange.outgoing import Exported, Layout, export_set

__all__ = ["Exported", "Layout", "export_set", "import_noise", "loader_order"]
