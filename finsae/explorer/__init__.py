"""A features folder in the browser: peers and why, features, pairs, clusters, later returns."""

from finsae.explorer.opening import open_explorer
from finsae.explorer.questions import Explorer
from finsae.explorer.server import Server

__all__ = ["Explorer", "Server", "open_explorer"]
