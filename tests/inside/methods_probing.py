"""Inside `methods.probing`: mixed models with held variances, compared with n by n matrices."""

from alliance_longitudinal.methods.probing.held import Held, of_persons

__all__ = ["Held", "of_persons"]
