"""All sabotages, in the order of the table that `make mutants` prints."""

from tests.mutants.balance_watch_sabotages import BALANCE_WATCH
from tests.mutants.bonus_sabotages import BONUSES
from tests.mutants.caller_sabotages import CALLERS
from tests.mutants.clawback_sabotages import CLAWBACKS
from tests.mutants.client_sabotages import CLIENT
from tests.mutants.conditional_write_sabotages import CONDITIONAL_WRITES
from tests.mutants.contention_sabotages import CONTENDED_ACCOUNTS
from tests.mutants.customer_sabotages import CUSTOMERS
from tests.mutants.database_sabotages import DATABASES
from tests.mutants.dispute_sabotages import DISPUTES
from tests.mutants.event_sabotages import EVENTS
from tests.mutants.explained_sabotages import EXPLAINED
from tests.mutants.feed_sabotages import FEED, WEBHOOKS
from tests.mutants.hold_rule_sabotages import HOLD_RULES
from tests.mutants.hold_sabotages import HOLD_SABOTAGES
from tests.mutants.keeping_sabotages import KEEPING
from tests.mutants.ledger_sabotages import LEDGER
from tests.mutants.limit_sabotages import LIMITING
from tests.mutants.many_sabotages import MANY
from tests.mutants.money_sabotages import MONEY
from tests.mutants.operator_sabotages import OPERATORS
from tests.mutants.outbox_sabotages import OUTBOX
from tests.mutants.owner_sabotages import OWNERS
from tests.mutants.past_sabotages import PAST_BALANCES
from tests.mutants.payment_sabotages import PAYMENTS
from tests.mutants.priced_sabotages import PRICED_DEDUCTIONS
from tests.mutants.proof_sabotages import PROOF
from tests.mutants.rates_sabotages import RATES
from tests.mutants.reconcile_sabotages import RECONCILE
from tests.mutants.rerating_sabotages import RERATING
from tests.mutants.sales_sabotages import SALES
from tests.mutants.session_sabotages import SESSION_RULES
from tests.mutants.storage_sabotages import STORAGE
from tests.mutants.stored_rates_sabotages import STORED_RATES
from tests.mutants.stripe_sabotages import STRIPE
from tests.mutants.watch_sabotages import WATCH

SABOTAGES = (
    *STORAGE,
    *CONDITIONAL_WRITES,
    *CONTENDED_ACCOUNTS,
    *DATABASES,
    *LEDGER,
    *MONEY,
    *LIMITING,
    *BONUSES,
    *CLAWBACKS,
    *STRIPE,
    *DISPUTES,
    *EVENTS,
    *RECONCILE,
    *PAYMENTS,
    *OUTBOX,
    *FEED,
    *WEBHOOKS,
    *OWNERS,
    *CUSTOMERS,
    *SALES,
    *RATES,
    *STORED_RATES,
    *PRICED_DEDUCTIONS,
    *RERATING,
    *HOLD_SABOTAGES,
    *HOLD_RULES,
    *SESSION_RULES,
    *EXPLAINED,
    *BALANCE_WATCH,
    *PAST_BALANCES,
    *CALLERS,
    *CLIENT,
    *MANY,
    *PROOF,
    *KEEPING,
    *WATCH,
    *OPERATORS,
)
