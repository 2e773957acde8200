"""The report's room: charts and pages, of what it is given.

What a page says, in which order, and how it is drawn belongs here. It asks nobody: no SQL, no HTTP, no settings, no
clock. The figures are asked for by `pipeline/ops_report.py`, and judged by `warehouse/checks`. Begin in
`ops_report.py`; `page.py` knows how any page looks.
"""
