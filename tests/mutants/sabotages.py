"""All sabotages, in the order of the table that `make mutants` prints."""

from bonus_sabotages import BONUSES
from caller_sabotages import CALLERS
from clawback_sabotages import CLAWBACKS
from client_sabotages import CLIENT
from conditional_write_sabotages import CONDITIONAL_WRITES
from database_sabotages import DATABASES
from event_sabotages import EVENTS
from keeping_sabotages import KEEPING
from ledger_sabotages import LEDGER
from many_sabotages import MANY
from money_sabotages import MONEY
from operator_sabotages import OPERATORS
from owner_sabotages import OWNERS
from proof_sabotages import PROOF
from rates_sabotages import RATES
from sales_sabotages import SALES
from storage_sabotages import STORAGE
from stripe_sabotages import STRIPE
from watch_sabotages import WATCH

SABOTAGES = (
    *STORAGE,
    *CONDITIONAL_WRITES,
    *DATABASES,
    *LEDGER,
    *MONEY,
    *BONUSES,
    *CLAWBACKS,
    *STRIPE,
    *EVENTS,
    *OWNERS,
    *SALES,
    *RATES,
    *CALLERS,
    *CLIENT,
    *MANY,
    *PROOF,
    *KEEPING,
    *WATCH,
    *OPERATORS,
)
