"""The twenty units as ONEX nodes: what each is, its contract, the check of its kind's rules, and adapters.

Here: descriptions of units that live elsewhere (`registry`), contracts made of them (`contracts`), `debug-loop onex check`
(`check`), the generator (`scaffold`), and what lets a unit run under omnibase-core (`nodes`, `bus`, `stores`; they need the
extra `onex`, on Python 3.12 or newer). Not here: any rule of the domain; a unit does the same with and without this package.
"""
