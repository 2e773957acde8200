"""The catalogue in a browser: a grid of movies, and a page for each.

Here belongs: routes, the template, its style. Elsewhere: SQL (warehouse/browse.py), and who starts the server
(services/image_server.py, cli/). Begin with `app.py`.
"""
