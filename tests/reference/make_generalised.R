# Writes generalised.json: generalised mixed models by glmmTMB (Laplace), ordinal (clmm) and lme4 (adaptive quadrature).
#
#   Rscript tests/reference/make_generalised.R
#
# Debian: r-cran-glmmtmb r-cran-ordinal r-cran-lme4 r-cran-mlmrev r-cran-jsonlite. Every glmmTMB optimum is polished by
# Newton steps on its own criterion until the decrement is below 1e-12; standard errors are from that Hessian, so they
# include the uncertainty of the variance parameters.
#
# Small data sets go to tests/reference/small (committed), large ones to build/reference_data (not committed).
# Origin: cbpp (lme4, GPL-2+; Lesnoff et al. 2004, Prev Vet Med 63:1-19), wine (ordinal, GPL-2+; Randall 1989, Biom J
# 7:781-793), grouseticks (lme4, GPL-2+; Elston et al. 2001, Parasitology 122:563-569), VerbAgg (lme4; De Boeck and
# Wilson 2004), guImmun and Contraception (mlmRev, GPL-2+; Rodriguez and Goldman 1995; Huq and Cleland 1990),
# Salamanders (glmmTMB, AGPL-3; Price et al. 2016). hazard and mixed_responses are simulated below.

suppressMessages({ library(lme4); library(glmmTMB); library(ordinal); library(mlmRev); library(jsonlite) })
here <- "tests/reference"
small <- file.path(here, "small"); large <- "build/reference_data"
dir.create(large, recursive = TRUE, showWarnings = FALSE)
save <- function(d, name, where) write.csv(d, file.path(where, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)

set.seed(20)
hazard <- do.call(rbind, lapply(1:24, function(g) {
  u <- rnorm(1, 0, 0.6)
  do.call(rbind, lapply(1:9, function(i) {
    arm <- i %% 2; score <- round(rnorm(1), 2)
    out <- NULL
    for (period in 1:5) {
      p <- 1 - exp(-exp(-1.6 + 0.15 * period - 0.5 * arm + 0.3 * score + u))
      event <- rbinom(1, 1, p)
      out <- rbind(out, data.frame(group = g, unit = paste0(g, "-", i), period, arm, score, event))
      if (event) break
    }
    out
  }))
}))
save(hazard, "hazard", small)

set.seed(21)
mixed <- expand.grid(row = 1:5, inner = 1:6, outer = 1:14)
mixed$unit <- paste0(mixed$outer, "-", mixed$inner)
mixed$week <- mixed$row - 1
mixed$item <- paste0("i", (mixed$row + 2 * mixed$inner + mixed$outer) %% 7)
mixed$x <- round(rnorm(nrow(mixed)), 2)
mixed$exposure <- round(runif(nrow(mixed), 0.5, 3), 2)
b0 <- rnorm(14, 0, 0.6); b1 <- 0.3 * b0 + rnorm(14, 0, 0.25); v <- rnorm(84, 0, 0.8); it <- rnorm(7, 0, 0.7)
eta <- b0[mixed$outer] + b1[mixed$outer] * mixed$week + v[as.integer(factor(mixed$unit, unique(mixed$unit)))] +
  it[as.integer(factor(mixed$item))]
mixed$yes <- rbinom(nrow(mixed), 1, plogis(-0.4 + 0.2 * mixed$week + 0.5 * mixed$x + eta))
mixed$count <- rpois(nrow(mixed), exp(0.2 + 0.1 * mixed$week + 0.3 * mixed$x + 0.7 * eta) * mixed$exposure)
mixed$over <- rnbinom(nrow(mixed), size = 1.5, mu = exp(0.6 + 0.1 * mixed$week + 0.3 * mixed$x + 0.7 * eta))
latent <- 0.2 * mixed$week + 0.6 * mixed$x + eta + rlogis(nrow(mixed))
mixed$grade <- findInterval(latent, c(-1.2, 0.3, 1.7)) + 1
mixed$trials <- 2 + mixed$inner
mixed$share <- rbinom(nrow(mixed), mixed$trials, plogis(-0.2 + 0.4 * mixed$x + eta)) / mixed$trials
mixed$log_exposure <- log(mixed$exposure)
mixed$share <- round(mixed$share, 12); mixed$log_exposure <- round(mixed$log_exposure, 12)
save(subset(mixed, select = -c(row, inner)), "mixed_responses", small)
mixed <- read.csv(file.path(small, "mixed_responses.csv"))

cbpp$share <- round(cbpp$incidence / cbpp$size, 12); save(cbpp, "cbpp", small)
save(wine, "wine", small)
save(grouseticks, "grouseticks", small)
VerbAgg$yes <- as.integer(VerbAgg$r2 == "Y"); save(VerbAgg, "VerbAgg", large)
guImmun$yes <- as.integer(guImmun$immun == "Y"); save(guImmun, "guImmun", large)
Contraception$yes <- as.integer(Contraception$use == "Y"); save(Contraception, "Contraception", large)
save(Salamanders, "Salamanders", large)
DATA <- list(cbpp = cbpp, wine = wine, grouseticks = grouseticks, VerbAgg = VerbAgg, guImmun = guImmun,
  Contraception = Contraception, Salamanders = Salamanders, hazard = hazard, mixed_responses = mixed)

components <- function(vc) {
  out <- list()
  for (g in names(vc)) {
    m <- as.matrix(vc[[g]])
    for (i in seq_len(nrow(m))) for (j in seq_len(i))
      out[[length(out) + 1]] <- list(group = sub("\\.\\d+$", "", g), term1 = rownames(m)[j], term2 = rownames(m)[i], vcov = m[i, j])
  }
  out
}

by_glmmTMB <- function(name, data, formula, family, ours = formula, weights = NULL, link = NULL) {
  d <- DATA[[data]]
  fam <- switch(family, binomial = binomial(if (is.null(link)) "logit" else link), poisson = poisson(),
    "negative-binomial" = nbinom2())
  call <- list(formula = as.formula(formula), data = d, family = fam)
  if (!is.null(weights)) call$weights <- d[[weights]]
  fit <- suppressWarnings(do.call(glmmTMB, call))
  obj <- fit$obj; par <- fit$fit$par
  for (i in 1:8) {
    g <- as.numeric(obj$gr(par)); h <- numDeriv::jacobian(function(p) as.numeric(obj$gr(p)), par)
    h <- (h + t(h)) / 2; step <- solve(h, g)
    if (sum(g * step) < 1e-16) break
    par <- par - step
  }
  value <- obj$fn(par); cov <- solve(h)
  beta <- par[names(par) == "beta"]; se <- sqrt(diag(cov))
  theta <- obj$report(obj$env$last.par)
  vc <- lapply(seq_along(theta$corr), function(i) { s <- theta$sd[[i]]; m <- theta$corr[[i]] * outer(s, s)
    names <- fit$modelInfo$reTrms$cond$cnms[[i]]; dimnames(m) <- list(names, names); m })
  names(vc) <- names(fit$modelInfo$reTrms$cond$cnms)
  list(name = name, data = data, formula = ours, family = family, link = link, weights = weights, n_agq = 1, program = "glmmTMB",
    nobs = nobs(fit), deviance = 2 * value, decrement = sum(g * step),
    params = setNames(as.list(beta), names(fixef(fit)$cond)), bse = setNames(as.list(se[names(par) == "beta"]), names(fixef(fit)$cond)),
    varcorr = components(vc),
    log_dispersion = if (family == "negative-binomial") par[["betad"]], log_dispersion_se = if (family == "negative-binomial") se[names(par) == "betad"][[1]],
    seconds = NULL)
}

by_clmm <- function(name, data, formula, ours, n_agq) {
  d <- DATA[[data]]
  response <- all.vars(as.formula(formula))[1]; d[[response]] <- factor(d[[response]], ordered = TRUE)
  for (column in names(d)) if (is.character(d[[column]])) d[[column]] <- factor(d[[column]])
  # By name, not by value: clmm looks its formula up again.
  assign("form", as.formula(formula), globalenv()); assign("rows", d, globalenv())
  fit <- clmm(form, data = rows, nAGQ = n_agq, control = clmm.control(method = "nlminb", gradTol = 1e-9, maxIter = 500))
  se <- sqrt(diag(vcov(fit)))[names(coef(fit))]
  list(name = name, data = data, formula = ours, family = "ordinal", n_agq = n_agq, program = "ordinal", nobs = nrow(d),
    deviance = -2 * as.numeric(logLik(fit)), params = as.list(coef(fit)), bse = as.list(se),
    varcorr = components(lapply(VarCorr(fit), function(v) as.matrix(v))))
}

by_glmer <- function(name, data, formula, family, ours = formula, weights = NULL, n_agq) {
  d <- DATA[[data]]
  w <- if (is.null(weights)) rep(1, nrow(d)) else d[[weights]]
  assign("w", w, globalenv())
  fit <- suppressWarnings(glmer(as.formula(formula), d, family, weights = w, nAGQ = n_agq))
  f <- suppressWarnings(glmer(as.formula(formula), d, family, weights = w, nAGQ = n_agq, devFunOnly = TRUE))
  par <- c(getME(fit, "theta"), fixef(fit))
  for (i in 1:4) par <- nlminb(par, f, control = list(rel.tol = 1e-15, x.tol = 1e-12))$par
  cov <- solve(numDeriv::hessian(f, par) / 2)
  f(par)
  # lme4's criterion under quadrature leaves out the saturated model; llf is that of the fit at the same parameters.
  list(name = name, data = data, formula = ours, family = family, weights = weights, n_agq = n_agq, program = "lme4", nobs = nrow(d),
    params = as.list(par[-1]), bse = setNames(as.list(sqrt(diag(cov))[-1]), names(fixef(fit))),
    varcorr = list(list(group = names(ranef(fit)), term1 = "(Intercept)", term2 = "(Intercept)", vcov = par[[1]]^2)))
}

models <- list(
  by_glmmTMB("cbpp", "cbpp", "share ~ period + (1 | herd)", "binomial", weights = "size", ours = "share ~ C(period) + (1 | herd)"),
  by_glmmTMB("dropout hazard", "hazard", "event ~ factor(period) + arm + score + (1 | group)", "binomial", link = "cloglog",
    ours = "event ~ C(period) + arm + score + (1 | group)"),
  by_glmmTMB("slopes, logit", "mixed_responses", "yes ~ week + x + (1 + week | outer)", "binomial"),
  by_glmmTMB("nested, logit", "mixed_responses", "yes ~ week + x + (1 | outer/unit)", "binomial"),
  by_glmmTMB("crossed, logit", "mixed_responses", "yes ~ week + x + (1 | unit) + (1 | item)", "binomial"),
  by_glmmTMB("nested slopes and crossed, trials", "mixed_responses", "share ~ x + (1 + week | outer) + (1 | unit) + (1 | item)", "binomial",
    weights = "trials"),
  by_glmmTMB("slopes at two levels, Poisson", "mixed_responses",
    "count ~ week + x + offset(log_exposure) + (1 + week | outer) + (1 + x | unit)", "poisson",
    ours = "count ~ week + x + (1 + week | outer) + (1 + x | unit)"),
  by_glmmTMB("crossed, negative binomial", "mixed_responses", "over ~ week + x + (1 | outer) + (1 | item)", "negative-binomial"),
  by_glmmTMB("grouseticks", "grouseticks", "TICKS ~ factor(YEAR) + cHEIGHT + (1 | BROOD) + (1 | LOCATION) + (1 | INDEX)", "poisson",
    ours = "TICKS ~ C(YEAR) + cHEIGHT + (1 | BROOD) + (1 | LOCATION) + (1 | INDEX)"),
  by_glmmTMB("VerbAgg", "VerbAgg", "yes ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)", "binomial"),
  by_glmmTMB("guImmun", "guImmun", "yes ~ kid2p + mom25p + ord + ethn + momEd + husEd + momWork + rural + pcInd81 + (1 | comm/mom)", "binomial"),
  by_glmmTMB("Contraception", "Contraception", "yes ~ age + I(age^2) + urban + livch + (1 | district)", "binomial",
    ours = "yes ~ age + I(age**2) + urban + livch + (1 | district)"),
  by_glmmTMB("Salamanders", "Salamanders", "count ~ mined + spp + (1 | site)", "negative-binomial"),
  by_clmm("wine, Laplace", "wine", "rating ~ temp + contact + (1 | judge)", "rating ~ temp + contact + (1 | judge)", 1),
  by_clmm("wine, 11 nodes", "wine", "rating ~ temp + contact + (1 | judge)", "rating ~ temp + contact + (1 | judge)", 11),
  by_clmm("nested, ordinal", "mixed_responses", "grade ~ week + x + (1 | outer) + (1 | unit)", "grade ~ week + x + (1 | outer/unit)", 1),
  by_glmer("cbpp, 25 nodes", "cbpp", "share ~ period + (1 | herd)", "binomial", weights = "size", n_agq = 25,
    ours = "share ~ C(period) + (1 | herd)"),
  by_glmer("counts, 15 nodes", "mixed_responses", "count ~ week + x + (1 | unit)", "poisson", n_agq = 15)
)
for (i in seq_along(models)) if (identical(models[[i]]$name, "slopes at two levels, Poisson")) models[[i]]$offset <- "log_exposure"
versions <- sapply(c("glmmTMB", "ordinal", "lme4"), function(p) as.character(packageVersion(p)))
writeLines(toJSON(list(versions = as.list(c(R = as.character(getRversion()), versions)), models = models), auto_unbox = TRUE, digits = I(12),
  null = "null", pretty = TRUE), file.path(here, "generalised.json"))
