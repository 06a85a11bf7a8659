"""What a placed request tells is what its tool's own schema promises, over HTTP and both eras of MCP."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from broker.intents import Intent, State

from ..support import BTC, BUY, Wired, changed, http_client, served
from .support import CLOSE, CREATE, FUTURES_BUY, FUTURES_STOP, LEVERAGE, WAYS, asking, placed

pytestmark = pytest.mark.anyio

HIGH: list[tuple[str, str, dict[str, Any]]] = [
    ("a-spot-order", CREATE, BUY),
    ("an-entry", CREATE, FUTURES_BUY),
    ("an-order-that-waits", CREATE, FUTURES_STOP),
    ("an-exit-of-all", CLOSE, {"symbol": BTC}),
    ("a-leverage", LEVERAGE, {"symbol": BTC, "leverage": 5}),
]
"""Each with its idempotency key: with it the HIGH tool itself answers the request that was placed."""

ORDER = {
    "id",
    "clientOrderId",
    "symbol",
    "side",
    "type",
    "price",
    "average",
    "amount",
    "filled",
    "cost",
    "fee",
    "status",
    "timestamp",
}
CLOSED = {"symbol", "closedSize", "closedSide", "entryPrice", "exitPrice", "realizedPnL", "orderId"}


async def all_placed(broker: Wired) -> dict[str, Intent]:
    found = {}
    for key, tool, arguments in HIGH:
        intent = await placed(broker, tool, **arguments, idempotencyKey=key)
        assert intent.state is State.PLACED, intent.note
        found[key] = intent
    return found


async def schemas(url: str) -> dict[str, dict[str, Any]]:
    async with http_client(url) as client:
        return {tool["name"]: tool["outputSchema"] for tool in (await client.get("/tools")).json()["tools"]}


def fits(schema: dict[str, Any], body: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(body))


def spoiled(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The answer with one field of its result, or of what was sent, gone or made up."""
    inner = [("result", name) for name, value in body["result"].items() if isinstance(value, dict)]
    for path in [("result",), ("rounded",), *inner]:
        for name in [*part(body, path), "more"]:
            other = deepcopy(body)
            if name in part(other, path):
                del part(other, path)[name]
            else:
                part(other, path)[name] = 1
            yield f"{'.'.join(path)}.{name}", other


def part(body: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for name in path:
        body = body[name]
    return body


@pytest.mark.parametrize("way", WAYS)
async def test_each_tool_tells_its_own_result(futures: Wired, way: str) -> None:
    intents = await all_placed(futures)
    async with served(futures) as url, asking(url, way) as ask:
        promised = await schemas(url)
        for key, tool, arguments in HIGH:
            told = await ask(tool, {**arguments, "idempotencyKey": key})
            assert told.body["deduplicated"] is True
            jsonschema.validate(told.body, promised[tool])
            for reader in ("intent_get", "intent_wait"):
                read = await ask(reader, {"intentId": intents[key].id})
                jsonschema.validate(read.body, promised[reader])
                assert read.body == {name: it for name, it in told.body.items() if name != "deduplicated"}
        listed = await ask("intent_list", {"status": "placed"})
        jsonschema.validate(listed.body, promised["intent_list"])
        assert [one["intentId"] for one in listed.body["intents"]] == [
            intents[key].id for key, _, _ in reversed(HIGH)
        ]


async def test_no_schema_takes_a_result_with_a_field_less_or_one_more(
    futures: Wired, subtests: pytest.Subtests
) -> None:
    optional = {"rounded.reduceOnly", "rounded.price", "rounded.stopPrice"}
    await all_placed(futures)
    async with served(futures) as url, asking(url, "http") as ask:
        promised = await schemas(url)
        for key, tool, arguments in HIGH:
            told = (await ask(tool, {**arguments, "idempotencyKey": key})).body
            for what, body in spoiled(told):
                with subtests.test(f"{key} {what}"):
                    assert fits(promised[tool], body) is (what in optional)
                    assert fits(promised["intent_get"], body) is (what in optional)


async def test_the_result_holds_what_the_contract_lists(futures: Wired) -> None:
    intents = await all_placed(futures)
    told = {key: await futures.call("intent_get", intentId=intent.id) for key, intent in intents.items()}
    for key in ("a-spot-order", "an-entry", "an-order-that-waits"):
        result = told[key]["result"]
        assert result["success"] is True
        assert (result.keys(), result["order"].keys()) == ({"success", "order"}, ORDER)
    bought = told["a-spot-order"]["result"]["order"]
    assert (bought["amount"], bought["filled"], bought["price"]) == (0.015, 0.015, None)
    assert bought["fee"] == {"cost": 0.000015, "asset": "BTC"}
    waits = told["an-order-that-waits"]["result"]["order"]
    assert (waits["status"], waits["filled"], waits["fee"]) == ("open", 0, None)
    assert told["an-order-that-waits"]["rounded"] == {
        "symbol": BTC,
        "side": "sell",
        "type": "stop_loss",
        "amount": 0.015,
        "market": "futures",
        "stopPrice": 58000,
        "reduceOnly": True,
    }
    closed = told["an-exit-of-all"]["result"]
    assert (closed.keys(), closed["closedPosition"].keys()) == ({"success", "closedPosition"}, CLOSED)
    assert (closed["closedPosition"]["closedSize"], closed["closedPosition"]["closedSide"]) == (0.015, "LONG")
    assert told["a-leverage"]["result"] == {
        "success": True,
        "symbol": BTC,
        "leverage": 5,
        "previousLeverage": 20,
        "message": "Leverage of BTCUSDT set from 20× to 5×",
    }


async def test_a_fee_in_a_second_asset_is_told_beside_the_first(futures: Wired) -> None:
    intent = await placed(futures, CREATE, **BUY)
    assert intent.order is not None
    order = changed(intent.order, otherFees=[{"cost": "0.0000012", "asset": "BNB"}])
    await futures.store.submissions.follow(intent, order)
    told = await futures.call("intent_get", intentId=intent.id)
    assert told["result"]["order"]["otherFees"] == [{"cost": 0.0000012, "asset": "BNB"}]
