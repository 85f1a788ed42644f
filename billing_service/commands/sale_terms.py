"""The terms of a purchase: those that were kept with it, or today's where an older program made it and kept none."""

from billing_service.commands.environment import Environment
from billing_service.domain.sales.purchases import Purchase
from billing_service.domain.sales.terms import SaleTerms


def todays_terms(environment: Environment, stripe_price_id: str | None, *, pays_by_intent: bool = False) -> SaleTerms:
    """The terms on which a purchase is made now. Only a checkout takes promotion codes and prices of Stripe's
    catalogue."""
    if pays_by_intent:
        return SaleTerms(False, None, environment.referrals, pays_by_intent=True)
    return SaleTerms(environment.terms.allow_promotion_codes, stripe_price_id, environment.referrals)


def terms_of(environment: Environment, purchase: Purchase) -> SaleTerms:
    """The terms on which a purchase was made."""
    if purchase.terms:
        return SaleTerms.decode(purchase.terms)
    package = environment.catalog.packages.get(purchase.package_code)
    sold_alike = package is not None and (package.price_minor, package.currency) == (
        purchase.amount_minor,
        purchase.currency,
    )
    return todays_terms(environment, package.stripe_price_id if package is not None and sold_alike else None)
