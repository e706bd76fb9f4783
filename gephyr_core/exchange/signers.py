"""Whose signed blocks a request holds: who is asked first because of them, and what is left out for everybody else.

A block goes to the organisation that made it, whoever answered since. What another organisation gets depends on the
conversation and on that organisation alone, so that each sees the same beginning of a conversation in every turn.
"""

from collections.abc import Iterable, Sequence

import attrs

from gephyr_core.conversation.signatures import organization_digest
from gephyr_core.conversation.signed_blocks import SignedBlock
from gephyr_core.dialects import DIALECTS
from gephyr_core.envelope import Envelope
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.pins import Pins, RequestRefused
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.scheduling import Account
from gephyr_core.shared import Leg, Route, Shared

Maker = tuple[str, str]
"""The dialect that a signature is of, and the digest of the organisation that made it; empty where that is unknown."""
_REFUSES_UNSIGNED = "anthropic"
"""The kind of provider that refuses thinking without a signature (Messages API, extended thinking)."""


@attrs.frozen
class Made:
    """A signed block, and whose it is."""

    block: SignedBlock
    maker: Maker

    @property
    def is_unknown(self) -> bool:
        """Whether it is signed, and nobody here knows by whom."""
        return not self.maker[1] and bool(self.block.name) and self.block.proven


def makers_of(blocks: Sequence[SignedBlock], dialect: str, pins: Pins, owner: str, now: float) -> tuple[Made, ...]:
    """Find out who made *blocks*, which stand in a request in *dialect*.

    A block that is not known, in a conversation with known ones, is taken for a work of the first of them: the
    conversation began before that one was learned, or what came earlier was forgotten.
    """
    digests: dict[str, str] = {}
    made = []
    first = ""
    for block in blocks:
        if block.origin is not None:
            made.append(Made(block, (block.origin.dialect, block.origin.organization)))
            continue
        pin = pins.find(owner, block.name, now) if block.name else None
        organization = ""
        if pin is not None:
            organization = digests.setdefault(pin.organization, organization_digest(pin.organization))
            first = first or organization
        made.append(Made(block, (dialect, organization)))
    if not first:
        return tuple(made)
    return tuple(attrs.evolve(one, maker=(dialect, first)) if one.is_unknown else one for one in made)


def held_to_makers(route: Route, made: Sequence[Made], *, held: bool) -> Route:
    """Leave only the accounts that can take what a conversation cannot go on without. *held*: the request refers to
    objects that only an account of the route has. Raises ``RequestRefused``."""
    organization = ""
    for one in made:
        if one.block.essential and one.maker[1]:
            if organization not in ("", one.maker[1]):
                path = f"{one.block.place}.encrypted_content"
                message = f"{path}: was made by another organisation than the items before it"
                raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, message, param=path))
            organization = one.maker[1]
    if organization:
        legs = [_of(leg, [one for one in leg.accounts if digest_of(one) == organization]) for leg in route]
        route = tuple(leg for leg in legs if leg.accounts)
        if not route:
            message = "input: holds encrypted items of an organisation that is gone, or does not serve the model"
            if held:
                message = "input: holds encrypted items of another organisation than the objects the request refers to"
            kind = ErrorKind.BAD_REQUEST if held else ErrorKind.NOT_FOUND
            raise RequestRefused(Problem(kind, message, param="input"))
    unknown = next((one.block for one in made if one.is_unknown), None)
    if unknown is not None and len(_organizations(leg for leg in route if not leg.dialect)) > 1:
        path = f"{unknown.place}.encrypted_content" if unknown.path[0] == "input" else unknown.place
        message = f"{path}: was not made through this gateway with this key, and several organisations serve the model"
        raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, message, param=path))
    return route


def divided(legs: Sequence[Leg], makers: Sequence[Maker], dialect: str, newest: Maker | None) -> list[Leg]:
    """Divide legs, so that all accounts of one can be sent the same, and have *newest*, who made the latest of what a
    request in *dialect* holds, asked first: for others that is lost. *makers*: the oldest first."""
    order = {maker: number for number, maker in enumerate(reversed(makers), start=1)}
    divided_legs: list[tuple[bool, Leg]] = []
    for leg in legs:
        asked = leg.dialect or dialect
        groups: dict[int, list[Account]] = {}
        for account in leg.accounts:
            groups.setdefault(order.get((asked, digest_of(account)), len(order) + 1), []).append(account)
        for number in sorted(groups):
            part = leg if len(groups) == 1 else _of(leg, groups[number])
            later = newest is None or (asked, digest_of(part.accounts[0])) != newest
            divided_legs.append((later, part))
    return [leg for _, leg in sorted(divided_legs, key=lambda pair: pair[0])]


def kept_apart(route: Route, made: Sequence[Made], envelope: Envelope, dialect: str, shared: Shared) -> Route:
    """Divide a route by whose blocks the request holds. Legs that are not translated are told what is left out."""
    makers = dict.fromkeys(one.maker for one in made if one.maker[1])
    proven = [one.maker for one in made if one.maker[1] and one.block.proven]
    choosy = len(_organizations(leg for leg in route if not leg.dialect)) > 1
    alone = len(_organizations(route)) == 1
    legs = []
    for leg in divided(route, list(makers), dialect, proven[-1] if proven else None):
        if leg.dialect:
            legs.append(leg)
            continue
        for part in _by_kind(leg) if choosy and any(one.block.is_bare for one in made) else (leg,):
            account = part.accounts[0]
            maker, demanding = (dialect, digest_of(account)), choosy and account.kind == _REFUSES_UNSIGNED
            foreign = [one.block for one in made if _is_foreign(one, maker, demanding=demanding, alone=alone)]
            legs.append(_without(part, foreign, envelope, dialect, shared) if foreign else part)
    return tuple(legs)


def _is_foreign(one: Made, maker: Maker, *, demanding: bool, alone: bool) -> bool:
    """Whether *maker* does not take a block. *demanding*: it refuses what nobody signed. *alone*: nobody else can have
    taken part in the conversation."""
    if one.block.origin is not None:
        return True
    if one.block.is_unsigned:
        return not alone if one.block.lacking else demanding
    return bool(one.maker[1]) and one.maker != maker


def organization_of(leg: Leg) -> str:
    """Digest of the organisation of a leg's accounts; empty where they are of several."""
    organizations = _organizations((leg,))
    return next(iter(organizations)) if len(organizations) == 1 else ""


def digest_of(account: Account) -> str:
    """Digest of an account's organisation."""
    return organization_digest(account.organization)


def _organizations(legs: Iterable[Leg]) -> dict[str, None]:
    return dict.fromkeys(digest_of(account) for leg in legs for account in leg.accounts)


def _of(leg: Leg, accounts: Sequence[Account]) -> Leg:
    return attrs.evolve(leg, accounts=tuple(accounts))


def _by_kind(leg: Leg) -> list[Leg]:
    """Divide a leg by whether its providers refuse reasoning that nobody signed."""
    groups: dict[bool, list[Account]] = {}
    for account in leg.accounts:
        groups.setdefault(account.kind == _REFUSES_UNSIGNED, []).append(account)
    return [leg] if len(groups) == 1 else [_of(leg, accounts) for accounts in groups.values()]


def _without(leg: Leg, blocks: Sequence[SignedBlock], envelope: Envelope, dialect: str, shared: Shared) -> Leg:
    kind, model = leg.accounts[0].kind, leg.target.model
    learned = shared.learned.get((kind, model))
    capabilities = capabilities_of(kind, dialect, model, shared.config.capabilities, learned)
    without = DIALECTS[dialect].without(envelope, blocks, capabilities)
    return attrs.evolve(leg, without=without) if without.edits else leg
