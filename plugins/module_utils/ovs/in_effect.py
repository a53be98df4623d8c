# SPDX-License-Identifier: Apache-2.0
"""From the flows that a bridge has to those that packets meet.

Open vSwitch remembers what its flows have made of packets, and handles most packets by that. After it has taken a change it goes through what
it remembers, in a round (of its revalidators) that may last a tenth of a second and more. What it remembers is of the flows before or of those
after, never of a mixture; but until the round is over, what a change forbids may still pass.
"""
from __future__ import annotations

import time
from pathlib import Path

from ..sluice_error import SluiceError
from .openflow.connection import Connection
from .openflow.messages import add_flow, commit
from .unixctl import Control

TYPE_CHECKING = False  # to import typing takes as long as much else that is done here
if TYPE_CHECKING:
    from typing import Optional

_BLIND_SECONDS = 1.0


def wait_until_in_effect(address: str, present: Optional[bytes], timeout: float = 10.0) -> None:
    """Comes back once every packet meets the flows that the bridge has.

    Asks at the control socket beside the bridge's own. Where there is none, the switch is not on this machine, and nobody can tell.

    :param address: where the bridge is managed
    :param present: a flow that the bridge has, as `flow_desc` gives it; put again, it makes a round begin at once. Without it, one begins
        within half a second
    :raises SluiceError: ovs-vswitchd does not answer
    """
    kind, _colon, path = address.partition(":")
    directory = Path(path).parent
    if kind != "unix" or not any(directory.glob("ovs-vswitchd*.ctl")):
        return
    try:
        with Control(str(directory), timeout) as control:
            # The end of a round is told, but not of which: the first may have begun before the change, the second has begun after it.
            for _round in range(2):
                # Asked before the round begins, as a short one might else be over before.
                control.begin("revalidator/wait")
                if present:
                    with Connection(address, timeout) as connection:
                        commit(connection, add_flow(present, 1))
                control.end()
    except SluiceError as error:
        if "multiple udpifs" not in str(error):
            raise SluiceError(f"the flows are as wanted, but the switch does not say whether packets meet them yet: {error}") from None
        # With datapaths of two kinds, ovs-vswitchd cannot tell.
        time.sleep(_BLIND_SECONDS)
