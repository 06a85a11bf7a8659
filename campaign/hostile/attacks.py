"""The attacks of the campaign, each with what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .damage import FullDisk, Kind, ReadOnlyFolder, Renamed, Replaced, Unlinked
from .strangers import ATTACKERS as STRANGERS
from .webhooks import BEHAVIOURS


@dataclass(frozen=True, kw_only=True)
class Attack:
    """`attackers`: processes that run side by side. `damage`: what happens to the broker's files."""

    name: str
    attackers: tuple[str, ...] = ()
    damage: Kind | None = None

    @property
    def shuts_out(self) -> bool:
        """Whether its strangers have an address of their own: the trader has to be let in."""
        return self.name in ("wrong passwords", "new names")


ATTACKS: Final = (
    Attack(name="none"),
    Attack(name="tool calls", attackers=("tool calls",)),
    Attack(name="parks", attackers=("parks",)),
    Attack(name="long waits", attackers=("long waits",)),
    Attack(name="hostile texts", attackers=("hostile texts",)),
    Attack(name="hang-ups, bad messages", attackers=("hang-ups", "bad messages")),
    *(Attack(name=name, attackers=(name,)) for name in STRANGERS if name != "hang-ups"),
    *(Attack(name=name, attackers=(name,)) for name in BEHAVIOURS),
    Attack(
        name="idle, floods and an endless header",
        attackers=("idle", "tool calls", "parks", "endless header"),
    ),
    *(
        Attack(name=damage.name, damage=damage)
        for damage in (Unlinked, Renamed, Replaced, ReadOnlyFolder, FullDisk)
    ),
)
