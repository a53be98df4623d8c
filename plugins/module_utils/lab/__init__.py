# SPDX-License-Identifier: Apache-2.0
"""A lab: real Debian machines as system containers on one host, joined by an underlay of their own."""
