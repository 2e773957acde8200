"""The sandbox's drawings: posters, backdrops, portraits, logos and thumbnails. Begin in `artwork.py`."""
