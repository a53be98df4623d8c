# SPDX-License-Identifier: Apache-2.0
"""NICs with an embedded switch: their virtual functions, their mode, and what represents them on the host."""
