"""The futures endpoints of the account: balances, positions, leverage, margin type, the user data stream."""

from typing import Any

from ..http.endpoints import Endpoint, Endpoints
from ..http.errors import Refusal, mandatory
from ..http.params import Params
from ..permissions import Permissions
from . import account_answers
from .exchange import FuturesExchange
from .market_endpoints import symbol_of
from .positions import MarginType

_DONE = {"code": 200, "msg": "success"}


class AccountEndpoints:
    def __init__(self, exchange: FuturesExchange, permissions: Permissions) -> None:
        self._exchange = exchange
        self._permissions = permissions

    def endpoints(self) -> Endpoints:
        one = ("symbol",)
        return {
            ("GET", "/fapi/v3/account"): Endpoint(self.account, 5, (), True),
            ("GET", "/fapi/v3/balance"): Endpoint(self.balance, 5, (), True),
            ("GET", "/fapi/v3/positionRisk"): Endpoint(self.positions, 5, one, True),
            ("GET", "/fapi/v2/positionRisk"): Endpoint(self.positions_v2, 5, one, True),
            ("GET", "/fapi/v1/accountConfig"): Endpoint(self.account_config, 5, (), True),
            ("GET", "/fapi/v1/symbolConfig"): Endpoint(self.symbol_config, 5, one, True),
            ("GET", "/fapi/v1/leverageBracket"): Endpoint(self.leverage_brackets, 1, one, True),
            ("GET", "/fapi/v1/commissionRate"): Endpoint(self.commission_rate, 20, one, True),
            ("GET", "/fapi/v1/multiAssetsMargin"): Endpoint(self.multi_assets, 30, (), True),
            ("GET", "/fapi/v1/positionSide/dual"): Endpoint(self.position_mode, 30, (), True),
            ("POST", "/fapi/v1/positionSide/dual"): Endpoint(
                self.set_position_mode, 1, ("dualSidePosition",), True
            ),
            ("POST", "/fapi/v1/marginType"): Endpoint(
                self.set_margin_type, 1, ("symbol", "marginType"), True
            ),
            ("POST", "/fapi/v1/leverage"): Endpoint(self.set_leverage, 1, ("symbol", "leverage"), True),
            ("POST", "/fapi/v1/listenKey"): Endpoint(self.create_key, 1, ("listenKey",), needs_key=True),
            ("PUT", "/fapi/v1/listenKey"): Endpoint(self.extend_key, 1, ("listenKey",), needs_key=True),
            ("DELETE", "/fapi/v1/listenKey"): Endpoint(self.close_key, 1, ("listenKey",), needs_key=True),
        }

    def account(self, _: Params) -> Any:
        return account_answers.account(self._exchange.summary())

    def balance(self, _: Params) -> Any:
        return [account_answers.balance(self._exchange.summary())]

    def positions(self, params: Params) -> Any:
        """Version 3 omits symbols without a position or orders, unless `symbol` is sent."""
        symbol, summary = self._any_symbol(params), self._exchange.summary()
        shown = summary.exposures if symbol else account_answers.used(summary)
        return [
            account_answers.position_risk(summary, exposure)
            for exposure in shown
            if symbol in (None, exposure.position.symbol)
        ]

    def positions_v2(self, params: Params) -> Any:
        symbol, summary = self._any_symbol(params), self._exchange.summary()
        return [
            account_answers.position_risk_v2(summary, exposure)
            for exposure in summary.exposures
            if symbol in (None, exposure.position.symbol)
        ]

    def account_config(self, _: Params) -> Any:
        return account_answers.account_config(
            can_withdraw=self._permissions.withdraw, dual_side=self._exchange.dual_side
        )

    def symbol_config(self, params: Params) -> Any:
        symbol = self._any_symbol(params)
        return [
            account_answers.symbol_config(exposure.contract, exposure.position)
            for exposure in self._exchange.summary().exposures
            if symbol in (None, exposure.position.symbol)
        ]

    def leverage_brackets(self, params: Params) -> Any:
        """Like Binance, return a list even for one symbol."""
        symbol = self._any_symbol(params)
        contracts = self._exchange.contracts.values()
        return [
            account_answers.leverage_brackets(contract)
            for contract in contracts
            if symbol in (None, contract.name)
        ]

    def commission_rate(self, params: Params) -> Any:
        return account_answers.commission_rate(self._symbol(params))

    def multi_assets(self, _: Params) -> Any:
        return {"multiAssetsMargin": False}

    def position_mode(self, _: Params) -> Any:
        return {"dualSidePosition": self._exchange.dual_side}

    def set_position_mode(self, params: Params) -> Any:
        """This exchange has only one-way mode. The control API can make it report hedge mode."""
        if "dualSidePosition" not in params:
            raise mandatory("dualSidePosition")
        if params.flag("dualSidePosition") == self._exchange.dual_side:
            raise Refusal(-4059, "No need to change position side.")
        raise Refusal(-4084, "Method is not allowed currently. Upcoming soon.")

    def set_margin_type(self, params: Params) -> Any:
        symbol = self._symbol(params)
        invalid = Refusal(-1130, "Data sent for parameter 'marginType' is not valid.")
        margin_type = params.choice("marginType", MarginType, invalid)
        if margin_type is None:
            raise mandatory("marginType")
        self._exchange.set_margin_type(symbol, margin_type)
        return _DONE

    def set_leverage(self, params: Params) -> Any:
        symbol, leverage = self._symbol(params), params.integer("leverage")
        if leverage is None:
            raise mandatory("leverage")
        position = self._exchange.set_leverage(symbol, leverage)
        return account_answers.leverage(self._exchange.contracts[symbol], position)

    def create_key(self, _: Params) -> Any:
        return {"listenKey": self._exchange.listen_keys.create()}

    def extend_key(self, _: Params) -> Any:
        return {"listenKey": self._exchange.listen_keys.extend()}

    def close_key(self, _: Params) -> Any:
        self._exchange.listen_keys.close()
        return {}

    def _symbol(self, params: Params) -> str:
        return self._exchange.market(symbol_of(params)).symbol.name

    def _any_symbol(self, params: Params) -> str | None:
        return self._symbol(params) if "symbol" in params else None
