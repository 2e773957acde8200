"""The report's room: charts and pages, of what it is given. It asks nobody: no SQL, no HTTP, no clock."""
