"""Operations on spend limits that are struck by faults."""

from prepaid.billing.v1 import spend_limits_pb2

from tests.faults.fault_operations import account_of, calling, granted, key_of, operation


@operation("set spend limit", one_unit=True)
async def set_spend_limit(service, tag):
    await granted(service, account_of(tag))
    return calling("set_spend_limit", spend_limit(tag, 60, "key"))


@operation("change spend limit", one_unit=True)
async def change_spend_limit(service, tag):
    await granted(service, account_of(tag))
    await service.answer("set_spend_limit", spend_limit(tag, 50, "before"))
    return calling("set_spend_limit", spend_limit(tag, 60, "key"))


@operation("remove spend limit", one_unit=True)
async def remove_spend_limit(service, tag):
    await granted(service, account_of(tag))
    await service.answer("set_spend_limit", spend_limit(tag, 50, "before"))
    return calling("set_spend_limit", spend_limit(tag, None, "key"))


def spend_limit(tag, amount, name):
    return spend_limits_pb2.SetSpendLimitRequest(
        account_id=account_of(tag), window=1, limit_microcredits=amount, idempotency_key=key_of(tag, name)
    )


LIMIT_OPERATIONS = (set_spend_limit, change_spend_limit, remove_spend_limit)
