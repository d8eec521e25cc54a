# The optimum of an lme4 model, polished, and the model evaluated there. Sourced by the scripts beside it.
#
# lme4 often stops short of the optimum. So every model is fitted with several optimisers, and the best point is
# polished from jittered starts with tight tolerances.

#' An "optimiser" that stays where it is put, to evaluate a model at a given theta.
stay <- function(fn, par, lower, upper, control, ...) {
  list(par = par, fval = fn(par), convergence = 0, message = "given", feval = 1)
}

optimisers <- list(
  bobyqa = lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e5)),
  nloptwrap = lmerControl(optimizer = "nloptwrap",
                          optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-14, maxeval = 1e5)),
  Nelder_Mead = lmerControl(optimizer = "Nelder_Mead", optCtrl = list(FtolAbs = 1e-14, XtolRel = 1e-12, maxfun = 1e5))
)

best_theta <- function(formula, data, reml, use = names(optimisers), jitters = c(0, 0, 0.02, 0.02, 0.1, 0)) {
  criterion <- suppressMessages(lme4::lmer(formula, data, REML = reml, devFunOnly = TRUE))
  lower <- environment(criterion)$lower
  tries <- lapply(optimisers[use], function(control) {
    control$checkConv <- NULL
    getME(suppressWarnings(suppressMessages(lme4::lmer(formula, data, REML = reml, control = control))), "theta")
  })
  values <- vapply(tries, criterion, 0)
  best <- tries[[which.min(values)]]
  set.seed(1)
  for (jitter in jitters) {
    start <- pmax(best + jitter * rnorm(length(best)), lower)
    found <- nlminb(start, criterion, lower = lower,
                    control = list(rel.tol = 1e-15, x.tol = 1e-12, eval.max = 5000, iter.max = 2000))
    if (found$objective < criterion(best)) best <- found$par
  }
  list(theta = unname(best), name = names(values)[which.min(values)], gain = min(values) - criterion(best))
}
