# Cross-lagged panels, dynamic panels and latent means of groups by lavaan and plm, for tests/methods/test_riclpm.py,
# test_dynamic_panel.py and test_latent_contextual.py.
# Debian: r-cran-lavaan r-cran-plm r-cran-jsonlite. Run: Rscript tests/reference/make_panel.R
# Data: a panel that is drawn here and written to small/panel.csv; implement_gad_sessions.csv beside the checkout (MIT), which
# is not committed; EmplUK of plm (GPL >= 2; Arellano & Bond 1991), of which only results are kept.
suppressMessages({library(lavaan); library(plm); library(jsonlite)})
here <- "tests/reference"

# 160 persons of 24 clusters, 6 occasions: x and y with feedback, stable differences, lines of persons; a constant c; 20 % missing.
set.seed(20261130)
n <- 160; times <- 6; cl <- rep(1:24, length.out = n); u <- matrix(rnorm(48, sd = .3), 24)
root <- chol(matrix(c(.5, -.2, -.2, .6), 2)); ri <- matrix(rnorm(2 * n), n) %*% root + u[cl, ]
rs <- matrix(rnorm(2 * n, sd = .12), n); cc <- rnorm(n) + .5 * ri[, 1]
w <- matrix(rnorm(2 * n, sd = .7), n); phi <- matrix(c(.3, -.15, -.1, .35), 2) # column: from; row: to
rows <- list()
for (t in 1:times) {
  v <- round(ri + (t - 1) * rs + w + cbind(3 + .1 * t, 10 - .4 * t + .3 * cc), 2)
  v[matrix(runif(2 * n) < .2, n)] <- NA
  rows[[t]] <- data.frame(id = 1:n, therapist = cl, t = t, x = v[, 1], y = v[, 2], c = round(cc, 2))
  w <- w %*% t(phi) + matrix(rnorm(2 * n, sd = .65), n)
}
long <- do.call(rbind, rows)
long$z <- round(.4 * ri[long$id, 2] + rnorm(nrow(long)), 2) # answers to nobody, but goes with the persons' levels
write.csv(long, file.path(here, "small", "panel.csv"), row.names = FALSE, na = "")
long <- read.csv(file.path(here, "small", "panel.csv"))
wide <- function(d, v) reshape(d, idvar = setdiff(names(d), c("t", v)), timevar = "t", v.names = v, direction = "wide", sep = "")
short <- long[setdiff(names(long), "z")]; wd <- wide(short, c("x", "y"))
# Complete over four occasions, for the models without missing values.
full <- na.omit(wide(short[short$t <= 4, ], c("x", "y")))

fitted <- function(model, data, ...) {
  for (tol in c(1e-11, 1e-10)) {
    f <- suppressWarnings(sem(model, data, em.h1.iter.max = 20000, em.h1.tol = 1e-10,
      control = list(rel.tol = tol, iter.max = 500, eval.max = 1000), ...))
    if (lavInspect(f, "converged")) break
  }
  m <- fitMeasures(f); e <- parameterEstimates(f, standardized = FALSE); e <- e[e$label != "" & !duplicated(e$label), ]
  list(converged = lavInspect(f, "converged"), n = lavInspect(f, "nobs"),
       fit = as.list(m[c("chisq", "df", "pvalue", "cfi", "rmsea", "srmr", "logl", "aic", "bic")]),
       names = e$label, est = e$est, se = e$se)
}

# The random-intercept cross-lagged panel model, written out.
riclpm <- function(T, ri = TRUE, slopes = FALSE, equal = TRUE, same = FALSE) {
  s <- 1:T; out <- c()
  one <- function(v, lab) paste0(lab, " =~ ", paste0("1*", v, s, collapse = " + "))
  if (ri) out <- c(out, one("x", "RX"), one("y", "RY"), "RX ~~ var_ri_x*RX", "RY ~~ var_ri_y*RY", "RX ~~ cov_ri*RY")
  if (slopes) out <- c(out, paste0("SX =~ ", paste0(s - 1, "*x", s, collapse = " + ")), paste0("SY =~ ", paste0(s - 1, "*y", s, collapse = " + ")),
    "SX ~~ var_rs_x*SX", "SY ~~ var_rs_y*SY", "SX ~~ cov_rs*SY", "RX ~~ SX + SY", "RY ~~ SX + SY", "SX ~ 0*1", "SY ~ 0*1")
  for (t in s) out <- c(out, paste0("wx", t, " =~ 1*x", t), paste0("wy", t, " =~ 1*y", t), paste0("x", t, " ~~ 0*x", t), paste0("y", t, " ~~ 0*y", t),
    paste0("x", t, " ~ 1"), paste0("y", t, " ~ 1"))
  for (t in 2:T) { k <- if (equal) "" else paste0("_", t - 1)
    out <- c(out, paste0("wx", t, " ~ ar_x", k, "*wx", t - 1, " + y_to_x", k, "*wy", t - 1),
             paste0("wy", t, " ~ ar_y", k, "*wy", t - 1, " + x_to_y", k, "*wx", t - 1)) }
  for (t in s) { l <- function(a) if (same && t > 1) paste0(a, "*") else ""
    out <- c(out, paste0("wx", t, " ~~ ", l("ex"), "wx", t), paste0("wy", t, " ~~ ", l("ey"), "wy", t), paste0("wx", t, " ~~ ", l("exy"), "wy", t)) }
  latent <- c(if (ri) c("RX", "RY"), if (slopes) c("SX", "SY"))
  for (a in latent) for (b in c("wx1", "wy1")) out <- c(out, paste0(a, " ~~ 0*", b))
  paste(out, collapse = "\n")
}
run <- function(data, T, ..., extra = list()) { message(format(Sys.time(), "%T"), " riclpm"); do.call(fitted, c(list(riclpm(T, ...), data, auto.cov.lv.x = FALSE, auto.cov.y = FALSE), extra)) }
ml <- list(missing = "ml"); observed <- list(meanstructure = TRUE, information = "observed")
out <- list(riclpm = list(
  full = run(full, 4, extra = observed),
  clpm = run(full, 4, ri = FALSE, extra = observed),
  unequal = run(full, 4, equal = FALSE, extra = observed),
  missing = run(wd, 6, extra = ml), missing_unequal = run(wd, 6, equal = FALSE, extra = ml),
  missing_same = run(wd, 6, same = TRUE, extra = ml), missing_slopes = run(wd, 6, slopes = TRUE, extra = ml),
  clustered = run(wd, 6, extra = c(ml, cluster = "therapist"))))

# The dynamic panel model (Allison, Williams & Moral-Benito 2017), written out as the documentation of R's dpm has it, with
# equal error variances.
dpm <- function(T, lags = 1, pre = NULL, lagged = NULL, exo = NULL, const = NULL) {
  eq <- (lags + 1):T; py <- function(v, s) if (length(s)) paste0(v, s) else character(0); out <- c()
  for (t in eq) {
    rhs <- paste0("r", 1:lags, "*y", t - 1:lags)
    for (v in c(pre, lagged)) rhs <- c(rhs, paste0("b_", v, "*", v, t - 1))
    for (v in exo) rhs <- c(rhs, paste0("b_", v, "*", v, t))
    for (v in const) rhs <- c(rhs, paste0("b_", v, "*", v))
    out <- c(out, paste0("y", t, " ~ ", paste(rhs, collapse = " + ")), paste0("y", t, " ~~ v*y", t), paste0("y", t, " ~ 1"))
    for (v in pre) if (t + 1 <= T - 1) out <- c(out, paste0("y", t, " ~~ ", paste0(v, (t + 1):(T - 1), collapse = " + ")))
  }
  varying <- py("y", 1:lags); for (v in c(pre, lagged)) varying <- c(varying, py(v, lags:(T - 1))); for (v in exo) varying <- c(varying, py(v, eq))
  out <- c(out, paste0("alpha =~ ", paste0("1*y", eq, collapse = " + ")), "alpha ~~ alpha", paste0("alpha ~~ ", paste(varying, collapse = " + ")))
  if (length(const)) out <- c(out, paste0("alpha ~~ 0*", const))
  all <- c(varying, const)
  for (i in seq_along(all)) out <- c(out, paste0(all[i], " ~~ ", all[i:length(all)]), paste0(all[i], " ~ 1"))
  paste(out, collapse = "\n")
}
one <- function(T, ..., data = wd3) { message(format(Sys.time(), "%T"), " dpm"); fitted(dpm(T, ...), data, missing = "ml", fixed.x = FALSE) }
wd3 <- wide(long, c("x", "y", "z"))
out$dpm <- list(predetermined = one(5, pre = "x", const = "c"), lagged = one(4, pre = "x", lagged = "z"),
                exogenous = one(4, exo = "z", const = "c"), lags2 = one(5, lags = 2, pre = "x"))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, na = "null"), file.path(here, "panel.json"))
