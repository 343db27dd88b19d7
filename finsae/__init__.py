"""Which companies are alike, how much, and why: sparse features of company descriptions."""

__version__ = "0.1.0"
