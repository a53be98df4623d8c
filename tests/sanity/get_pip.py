# SPDX-License-Identifier: Apache-2.0
"""Stands in for the script with which ansible-test installs pip: it is downloaded from a host that a mirror of PyPI does not serve."""
from __future__ import annotations

import subprocess
import sys

# In a process of its own: ensurepip turns pip's configuration off, and that says where the mirror is.
subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "-q", *(word for word in sys.argv[1:] if not word.startswith("-"))]))
