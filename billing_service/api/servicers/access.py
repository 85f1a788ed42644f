"""AdminService, access: API keys and the audit log."""

import re

from prepaid.billing.v1 import api_keys_pb2, audit_pb2, scopes_pb2

from billing_service.api import translate, validation
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies, request_of
from billing_service.commands.access.api_keys import CreateApiKey, all_keys, create_api_key, revoke_api_key
from billing_service.commands.access.read import audit_records
from billing_service.commands.environment import Environment
from billing_service.domain.access.api_keys import ACCOUNTS_MAX, ApiKey, Scope
from billing_service.domain.refusals import invalid_field

_CALLER = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
_SCOPES: dict[int, Scope] = {
    number: Scope(name.removeprefix("SCOPE_").lower()) for name, number in scopes_pb2.Scope.items() if number
}
_NUMBERS = {name.removeprefix("SCOPE_").lower(): number for name, number in scopes_pb2.Scope.items()}
_created = Replies(api_keys_pb2.CreateApiKeyResponse)
_revoked = Replies(api_keys_pb2.RevokeApiKeyResponse)


def _api_key(key: ApiKey) -> api_keys_pb2.ApiKey:
    return api_keys_pb2.ApiKey(
        key_id=key.key_id,
        caller=key.caller,
        scopes=[_NUMBERS[scope] for scope in sorted(key.scopes)],
        create_time=translate.timestamp(key.create_time_us),
        expire_time=translate.timestamp(key.expire_time_us),
        revoke_time=translate.timestamp(key.revoke_time_us),
        last_use_time=translate.timestamp(key.last_use_time_us),
        account_ids=key.account_ids,
        spender_ids=key.spender_ids,
    )


def _encode_created(key: ApiKey, secret: str) -> bytes:
    return api_keys_pb2.CreateApiKeyResponse(api_key=_api_key(key), secret=secret).SerializeToString()


def _encode_revoked(key: ApiKey) -> bytes:
    return api_keys_pb2.RevokeApiKeyResponse(api_key=_api_key(key)).SerializeToString()


class Access:
    """Methods of AdminService."""

    def __init__(self, environment: Environment, page_token_secret: bytes) -> None:
        self._environment = environment
        self._page_token_secret = page_token_secret

    async def create_api_key(self, request: api_keys_pb2.CreateApiKeyRequest, call: Call) -> bytes:
        if not _CALLER.fullmatch(request.caller):
            raise invalid_field("caller", "must have 1 to 64 characters of a-z, 0-9, '-', '_' and '.'")
        scopes = [_SCOPES[validation.known_value("scopes", number, frozenset(_SCOPES))] for number in request.scopes]
        if not scopes:
            raise invalid_field("scopes", "at least one is required")
        expires = (
            validation.timestamp_us("expire_time", request.expire_time) if request.HasField("expire_time") else None
        )
        account_ids = validation.distinct("account_ids", request.account_ids, validation.ACCOUNT_ID_MAX, ACCOUNTS_MAX)
        spender_ids = validation.spenders((), request.spender_ids)
        # Unbound, the request means what it meant before there were the fields.
        bound = (account_ids, spender_ids) if spender_ids else (account_ids,) if account_ids else ()
        keyed = request_of(call, "", request.idempotency_key, request.caller, sorted(set(scopes)), expires, *bound)
        command = CreateApiKey(keyed, request.caller, scopes, expires, account_ids, spender_ids, _encode_created)
        return _created(await create_api_key(self._environment, command))

    async def list_api_keys(
        self, request: api_keys_pb2.ListApiKeysRequest, call: Call
    ) -> api_keys_pb2.ListApiKeysResponse:
        del request, call
        return api_keys_pb2.ListApiKeysResponse(api_keys=[_api_key(key) for key in await all_keys(self._environment)])

    async def revoke_api_key(self, request: api_keys_pb2.RevokeApiKeyRequest, call: Call) -> bytes:
        key_id = validation.identifier("key_id", request.key_id)
        keyed = request_of(call, "", request.idempotency_key, key_id)
        return _revoked(await revoke_api_key(self._environment, keyed, key_id, _encode_revoked))

    async def list_audit_records(
        self, request: audit_pb2.ListAuditRecordsRequest, call: Call
    ) -> audit_pb2.ListAuditRecordsResponse:
        del call
        account_id = validation.account_id(request.account_id) if request.account_id else ""
        size, binding, secret = validation.page_size(request.page_size), ("audit", account_id), self._page_token_secret
        before = decode_page_token(secret, request.page_token, binding) if request.page_token else ""
        page, last = await audit_records(self._environment, account_id, before, size)
        return audit_pb2.ListAuditRecordsResponse(
            records=[
                audit_pb2.AuditRecord(
                    audit_id=row.audit_id,
                    create_time=translate.timestamp(row.create_time_us),
                    caller=row.caller,
                    peer=row.peer,
                    method=row.method,
                    account_id=row.account_id,
                    detail=row.detail,
                )
                for row in page
            ],
            next_page_token=encode_page_token(secret, last, binding) if last else "",
        )
