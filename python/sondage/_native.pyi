"""The compiled part, ``crates/python``."""

from typing import Final

__version__: Final[str]
"""The version of this build, as ``sondage --version`` prints it."""
