"""The services' room: what stands behind the settings, such as the catalogue's database and the store of images.

Where the settings name nothing, it is provided here: an embedded Postgres, the server that shows the local store's
images, the process of the sandbox. Where they name everything, nothing is started. The synthetic catalogue is the
sandbox's, the schema the warehouse's, and how images are kept is said in `images/`. Begin in `provide.py`.
"""
