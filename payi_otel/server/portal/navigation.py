"""The menu on top of every page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NavItem:
    """A page in the menu; each page's module has one as `NAV`. `path` is below the portal, `/limits` for example."""

    path: str
    title: str

    def is_current(self, path: str) -> bool:
        """Whether `path`, below the portal as well, is this page or one below it."""
        return path == self.path or (self.path != "/" and path.startswith(self.path + "/"))
