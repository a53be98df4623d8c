# SPDX-License-Identifier: Apache-2.0
"""A host's whole OVSDB configuration as declared state.

``config`` (checked input) and ``database`` (what is there) meet in ``plan``, which gives ``changes``; ``apply`` makes them one
``transaction``. ``columns`` says what can be configured, ``describe`` shows it in the shape of the input.

Records are NamedTuples because modules start often: to define one takes 0.1 ms, a frozen dataclass 0.6 ms, and there are twenty.
"""
