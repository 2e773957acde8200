"""The services' room: what a machine needs that has nothing.

An embedded Postgres, the server that shows the local store's images, and the process of the sandbox belong here; what
the settings name is not started. The synthetic catalogue is the sandbox's, and the schema the warehouse's. Begin in
`provide.py`, which fills in what the settings leave open.
"""
