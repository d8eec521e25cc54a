# Crossed factors and multiple membership: small/membership.csv and crossing.json, read by tests/engine.
#
# Run from the top of the checkout: Rscript tests/reference/make_crossing.R
# Needs lme4, Matrix and jsonlite. The data are simulated here. lme4 has no multiple membership: the rows of Z' that belong
# to the grouping are replaced by the weighted ones before the deviance function is made. All optima are polished.
# InstEval (lme4, GPL; too large to commit) goes to build/reference_data, where the test of its published optimum looks.
# Penicillin (lme4, Davies and Goldsmith 1972) is crossed; its figures are in lme4.json too.

suppressMessages({library(lme4); library(Matrix); library(jsonlite)})

set.seed(20)
units <- 40; rows <- 6; leaders <- 9
d <- data.frame(unit = rep(seq_len(units), each = rows), t = rep(0:(rows - 1), units))
n <- nrow(d)
d$l1 <- sample(rep(seq_len(leaders), length.out = n))
d$l2 <- ifelse(runif(n) < 0.4, sample(leaders, n, TRUE), NA)
d$l3 <- ifelse(!is.na(d$l2) & runif(n) < 0.3, sample(leaders, n, TRUE), NA)
d$w1 <- ifelse(is.na(d$l2), 1, ifelse(is.na(d$l3), 0.75, 0.5))
d$w2 <- ifelse(is.na(d$l2), NA, 0.25)
d$w3 <- ifelse(is.na(d$l3), NA, 0.25)
W <- matrix(0, leaders, n)
for (j in 1:3) {
  at <- which(!is.na(d[[paste0("l", j)]]))
  for (i in at) W[d[[paste0("l", j)]][i], i] <- W[d[[paste0("l", j)]][i], i] + d[[paste0("w", j)]][i]
}
b <- cbind(rnorm(leaders, 0, 1.5), rnorm(leaders, 0, 0.4))
u <- rnorm(units)
d$y <- round(5 - 0.5 * d$t + colSums(W * b[, 1]) + colSums(W * b[, 2]) * d$t + u[d$unit] + rnorm(n), 4)
write.csv(d, "tests/reference/small/membership.csv", row.names = FALSE, na = "")

polish <- function(devfun, lower, start) {
  best <- list(objective = Inf)
  set.seed(1)
  for (jitter in c(0, 0.1, 0.1, 0.5, 0)) {
    from <- if (is.finite(best$objective)) best$par else start
    found <- nlminb(pmax(from + jitter * rnorm(length(from)), lower), devfun, lower = lower,
                    control = list(rel.tol = 1e-15, x.tol = 1e-12, eval.max = 5000, iter.max = 2000))
    if (found$objective < best$objective) best <- found
  }
  best
}

fit <- function(formula, data, reml, weights = NULL, effects = NULL, group = NULL) {
  lf <- lFormula(formula, data, REML = reml)
  if (!is.null(weights)) {
    lf$reTrms$Ztlist[[group]] <- KhatriRao(Matrix(weights, sparse = TRUE), t(effects))
    lf$reTrms$Zt <- do.call(rbind, lf$reTrms$Ztlist)
  }
  devfun <- do.call(mkLmerDevfun, lf)
  best <- polish(devfun, lf$reTrms$lower, lf$reTrms$theta)
  devfun(best$par)
  m <- mkMerMod(environment(devfun), list(par = best$par, fval = best$objective, feval = 1, conv = 0, message = ""),
                lf$reTrms, fr = lf$fr)
  vc <- as.data.frame(VarCorr(m))
  modes <- getME(m, "b")
  list(criterion = best$objective, beta = unname(fixef(m)), se = unname(sqrt(diag(as.matrix(vcov(m))))),
       vcov = vc$vcov, group = vc$grp, var1 = vc$var1, var2 = vc$var2, modes = as.vector(modes),
       levels = lapply(ranef(m, condVar = FALSE), rownames))
}

dir.create("build/reference_data", recursive = TRUE, showWarnings = FALSE)
write.csv(InstEval, "build/reference_data/InstEval.csv", row.names = FALSE)

d$leader <- factor(d$l1, levels = seq_len(leaders))
slope <- "1 + t | leader"
out <- list(
  membership = fit(y ~ t + (1 + t | leader) + (1 | unit), d, TRUE, W, cbind(1, d$t), slope),
  membership_ml = fit(y ~ t + (1 + t | leader) + (1 | unit), d, FALSE, W, cbind(1, d$t), slope),
  membership_alone = fit(y ~ t + (1 | leader), d, TRUE, W, matrix(1, n, 1), "1 | leader"),
  first_leader = fit(y ~ t + (1 + t | leader) + (1 | unit), d, TRUE),
  penicillin = fit(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin, TRUE)
)
out$versions <- list(R = R.version.string, lme4 = as.character(packageVersion("lme4")))
write_json(out, "tests/reference/crossing.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
