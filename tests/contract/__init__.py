"""The contract of the legacy API as one suite that judges any server.

It takes an address and an administrator, speaks HTTP, and knows nothing else: no row of it imports
an implementation or looks into a database. `rows` holds what is asked and what must be answered, as
data; `scene` makes what the rows name, through the API; `runner` asks and compares. pytest judges a
server of our own with it (`test_contract`), `python -m tests.contract` any other.
"""
