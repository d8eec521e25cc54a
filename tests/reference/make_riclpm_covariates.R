# The random-intercept cross-lagged panel model with constant covariates by lavaan, for tests/methods/test_riclpm_covariates.py.
# Debian: r-cran-lavaan r-cran-jsonlite. Run: Rscript tests/reference/make_riclpm_covariates.R
# Data: small/panel.csv, written by make_panel.R, with a second covariate d that is drawn here and is missing for some persons.
suppressMessages({library(lavaan); library(jsonlite)})
here <- "tests/reference"
long <- read.csv(file.path(here, "small", "panel.csv"))
long <- long[c("id", "therapist", "t", "x", "y", "c")]
wd <- reshape(long, idvar = c("id", "therapist", "c"), timevar = "t", v.names = c("x", "y"), direction = "wide", sep = "")
wd$d <- as.numeric((7 * wd$id) %% 5 < 2) # 0 or 1
wd$d[wd$id %% 11 == 0] <- NA

model <- function(T, covariates, slopes) {
  s <- 1:T
  one <- function(v, lab) paste0(lab, " =~ ", paste0("1*", v, s, collapse = " + "))
  out <- c(one("x", "RX"), one("y", "RY"), "RX ~~ var_ri_x*RX", "RY ~~ var_ri_y*RY", "RX ~~ cov_ri*RY")
  if (slopes) out <- c(out, paste0("SX =~ ", paste0(s - 1, "*x", s, collapse = " + ")), paste0("SY =~ ", paste0(s - 1, "*y", s, collapse = " + ")),
    "SX ~~ var_rs_x*SX", "SY ~~ var_rs_y*SY", "SX ~~ cov_rs*SY", "RX ~~ SX + SY", "RY ~~ SX + SY", "SX ~ 0*1", "SY ~ 0*1")
  for (t in s) {
    out <- c(out, paste0("wx", t, " =~ 1*x", t), paste0("wy", t, " =~ 1*y", t), paste0("x", t, " ~~ 0*x", t), paste0("y", t, " ~~ 0*y", t),
      paste0("wx", t, " ~~ wx", t), paste0("wy", t, " ~~ wy", t), paste0("wx", t, " ~~ wy", t))
    for (v in c("x", "y")) out <- c(out, paste0(v, t, " ~ 1"),
      paste0(v, t, " ~ ", paste0(covariates, "_on_", v, "_", t, "*", covariates, collapse = " + ")))
  }
  for (t in 2:T) out <- c(out, paste0("wx", t, " ~ ar_x*wx", t - 1, " + y_to_x*wy", t - 1),
                          paste0("wy", t, " ~ ar_y*wy", t - 1, " + x_to_y*wx", t - 1))
  for (v in covariates) out <- c(out, paste0(v, " ~~ ", v), paste0(v, " ~ 1"))
  if (length(covariates) == 2) out <- c(out, paste0(covariates[1], " ~~ ", covariates[2]))
  for (a in c("RX", "RY", if (slopes) c("SX", "SY"))) {
    for (b in c("wx1", "wy1")) out <- c(out, paste0(a, " ~~ 0*", b))
    for (v in covariates) out <- c(out, paste0(a, " ~~ 0*", v))
  }
  for (b in c("wx1", "wy1")) for (v in covariates) out <- c(out, paste0(b, " ~~ 0*", v))
  paste(out, collapse = "\n")
}

fitted <- function(T, covariates, slopes = FALSE, ...) {
  for (tol in c(1e-11, 1e-10, 1e-9)) {
    f <- suppressWarnings(lavaan(model(T, covariates, slopes), wd, missing = "fiml", fixed.x = FALSE, em.h1.iter.max = 20000,
      em.h1.tol = 1e-10, control = list(rel.tol = tol, iter.max = 1000, eval.max = 2000), ...))
    if (lavInspect(f, "converged")) break
  }
  cat(T, covariates, slopes, lavInspect(f, "converged"), "\n")
  m <- fitMeasures(f); e <- parameterEstimates(f, standardized = FALSE); e <- e[e$label != "" & !duplicated(e$label), ]
  list(converged = lavInspect(f, "converged"), n = lavInspect(f, "nobs"), fit = as.list(m[c("chisq", "df", "logl", "aic", "cfi", "rmsea")]),
       names = e$label, est = e$est, se = e$se)
}

out <- list(versions = list(R = as.character(getRversion()), lavaan = as.character(packageVersion("lavaan"))),
  one = fitted(4, "c"), two = fitted(4, c("c", "d")), slopes = fitted(5, "c", TRUE),
  clustered = fitted(4, "c", cluster = "therapist", estimator = "MLR", observed.information = "hessian"))
write_json(out, file.path(here, "riclpm_covariates.json"), auto_unbox = TRUE, digits = NA, pretty = TRUE)
