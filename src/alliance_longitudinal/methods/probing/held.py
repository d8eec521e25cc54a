"""One coefficient of a mixed model with its variances held, for many versions of its predictor."""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.methods.basics.frames import Codes, Floats

#: Versions that are solved together: bounds the memory.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A linear mixed model of persons in groups, reduced to what is needed of each person.

    Attributes
    ----------
    information : ndarray, shape (persons, q, q)
        ``B_i' V_i^-1 B_i``: of the person's basis (1, or 1 and time) under the person's own variances.
    score : ndarray, shape (persons, q)
        ``B_i' V_i^-1 y_i``.
    groups : ndarray of int, shape (persons,)
        Codes from 0.
    between : ndarray, shape (q, q)
        Covariance of the groups' effects on the basis; zeros where there are none.
    own : float
        Variance between groups of the effect of the predictor on the last column of the basis; 0 where there is none.
    columns : ndarray, shape (persons, p)
        The other predictors of persons, the ones among them; each has an effect on every column of the basis.
    """

    information: Floats
    score: Floats
    groups: Codes
    between: Floats
    own: float
    columns: Floats

    def slopes(self, versions: Floats) -> tuple[Floats, Floats]:
        """Effect of each version of the predictor on the last column of the basis, and its standard error.

        Generalised least squares with the variances as they are. Only sums over persons and groups are needed, no matrix is larger
        than the number of coefficients.

        Parameters
        ----------
        versions : ndarray, shape (k, persons)

        Returns
        -------
        estimate, se : ndarray, shape (k,)
        """
        parts = [self._some(versions[k : k + _AT_ONCE]) for k in range(0, len(versions), _AT_ONCE)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _some(self, versions: Floats) -> tuple[Floats, Floats]:
        k, q, p = len(versions), self.score.shape[1], self.columns.shape[1]
        total = int(self.groups.max()) + 1
        order = np.argsort(self.groups, kind="stable")
        starts = np.searchsorted(self.groups[order], np.arange(total))
        s, c, x = self.information[order], self.columns[order], versions[:, order]
        r = self.score[order]

        def by_group(values: Floats, axis: int) -> Floats:
            return np.asarray(np.add.reduceat(values, starts, axis=axis))

        # Of each group: sums of the information with the other columns, with the predictor, and with both.
        plain = by_group(np.einsum("iab,ip->iapb", s, c), 0).reshape(total, q, p * q)
        focal = by_group(np.einsum("ki,iab->kiab", x, s), 1)
        random = np.concatenate([np.broadcast_to(plain, (k, total, q, p * q)), focal], axis=3)
        heard = np.broadcast_to(by_group(r, 0), (k, total, q))
        inner = np.broadcast_to(by_group(s, 0), (k, total, q, q))
        between = self.between
        if self.own > 0:  # one more random effect: of the predictor on the last column of the basis
            squares = by_group(np.einsum("ki,i->ki", x**2, s[:, -1, -1]), 1)
            with_other = by_group(np.einsum("ki,ib,ip->kipb", x, s[:, -1], c), 1).reshape(k, total, p * q)
            with_itself = by_group(np.einsum("ki,ib->kib", x**2, s[:, -1]), 1)
            row = np.concatenate([with_other, with_itself], axis=2)
            random = np.concatenate([random, row[:, :, None]], axis=2)
            heard = np.concatenate([heard, by_group(x * r[:, -1], 1)[:, :, None]], axis=2)
            inner = np.concatenate([inner, focal[:, :, :, -1][:, :, :, None]], axis=3)
            last = np.concatenate([focal[:, :, -1], squares[:, :, None]], axis=2)
            inner = np.concatenate([inner, last[:, :, None]], axis=2)
            between = np.zeros((q + 1, q + 1))
            between[:q, :q], between[q, q] = self.between, self.own
        # T = G (I + M G)^-1; G may have zeros.
        taken = between @ np.linalg.inv(np.eye(len(between)) + inner @ between)
        left = np.einsum("iab,ip,ir->parb", s, c, c).reshape(p * q, p * q)
        across = np.einsum("ki,iab,ip->kpab", x, s, c, optimize=True).reshape(k, p * q, q)
        own = np.einsum("ki,iab->kab", x**2, s)
        size = (p + 1) * q
        matrix = np.empty((k, size, size))
        matrix[:, : p * q, : p * q] = left
        matrix[:, : p * q, p * q :] = across
        matrix[:, p * q :, : p * q] = across.transpose(0, 2, 1)
        matrix[:, p * q :, p * q :] = own
        turned = taken @ random
        matrix -= np.einsum("kgrm,kgrn->kmn", random, turned, optimize=True)
        right = np.concatenate(
            [np.broadcast_to(np.einsum("ip,ia->pa", c, r).ravel(), (k, p * q)), x @ r], axis=1
        ) - np.einsum("kgrm,kgr->km", turned, heard, optimize=True)
        inverse = np.linalg.inv(matrix)
        estimate = np.einsum("km,km->k", inverse[:, -1], right)
        return estimate, np.sqrt(inverse[:, -1, -1])


def of_persons(
    y: Floats, basis: Floats, persons: Codes, within: Floats, sigma2: float
) -> tuple[Floats, Floats]:
    """Information and score of each person, shapes (persons, q, q) and (persons, q).

    With ``P_i = B_i'B_i / sigma2`` it is ``P_i (I + G P_i)^-1`` for persons whose own effects on the basis have covariance ``G``.

    Parameters
    ----------
    y : ndarray, shape (n,)
    basis : ndarray, shape (n, q)
    persons : ndarray of int, shape (n,)
        Codes from 0; everybody has a row.
    within : ndarray, shape (q, q)
        ``G``; zeros where persons have none.
    sigma2 : float
        Residual variance.
    """
    n, q = int(persons.max()) + 1, basis.shape[1]
    squares, products = np.zeros((n, q, q)), np.zeros((n, q))
    np.add.at(squares, persons, basis[:, :, None] * basis[:, None, :] / sigma2)
    np.add.at(products, persons, basis * y[:, None] / sigma2)
    back = np.linalg.inv(np.eye(q) + within @ squares)  # (I + G P)^-1, so P (I + G P)^-1 = (I + P G)^-1 P
    return squares @ back, np.einsum("iba,ib->ia", back, products)
