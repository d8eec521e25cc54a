"""Inside `methods.mediation`: the distribution of a product."""

from alliance_longitudinal.methods.mediation.product import product_cdf

__all__ = ["product_cdf"]
