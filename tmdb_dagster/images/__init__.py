"""The images' room: bytes come from the image hosts, are checked, and go to a store.

Downloads and their connections, the check of what arrived, and the stores (a local folder, S3) belong here; they take
values, and know neither the settings nor TMDB. Which images a movie has is planned in `transform/image_plan.py`, what
became of them is kept by `warehouse/images.py`, and `pipeline/rehost.py` strings it together. Begin in `download.py`,
or in `stores.py`.
"""
