# Profile likelihoods of models with a residual structure by nlme: residuals_profile.json.
#
#   Rscript tests/reference/make_residuals_profile.R
#
# Needs R with nlme and jsonlite; reads small/*.csv, written by make_residuals.R. nlme has no profile likelihood: the model is
# fitted again with the parameter held (`fixed=`; for a coefficient with its column taken from the response) and the
# values are searched at which the deviance has risen by the 95 % quantile.

suppressPackageStartupMessages({
  library(nlme)
  library(jsonlite)
})

here <- normalizePath(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
cut <- qchisq(0.95, 1)
control <- lmeControl(maxIter = 500, msMaxIter = 1000, niterEM = 50, tolerance = 1e-10, msTol = 1e-12, returnObject = TRUE)
read <- function(name) read.csv(file.path(here, "small", paste0(name, ".csv")))
deviance_of <- function(...) as.numeric(-2 * logLik(lme(..., control = control)))

ovary <- read("ovary")
weight <- read("body_weight")
orthodont <- read("orthodont_series")
series <- read("series")
two <- list(outer = ~order, inner = ~order)

cases <- list(
  list(data = "ovary", formula = "follicles ~ s + c + (1 + s || mare)", residual = list(kind = "AR1", position = "position"),
       reml = TRUE, parameter = "phi", range = c(0.2, 0.9), deviance = function(v) deviance_of(
         follicles ~ s + c, ovary, list(mare = pdDiag(~s)), corAR1(v, ~ position | mare, fixed = TRUE))),
  list(data = "ovary", formula = "follicles ~ s + c + (1 | mare)", residual = list(kind = "CAR1", position = "time"),
       reml = FALSE, parameter = "phi", scale = exp, range = log(c(1e-8, 1e-2)), deviance = function(v) deviance_of(
         follicles ~ s + c, ovary, ~ 1 | mare, corCAR1(v, ~ time | mare, fixed = TRUE), method = "ML")),
  list(data = "ovary", formula = "follicles ~ s + c + (1 | mare)", residual = list(kind = "AR1", position = "position"),
       reml = FALSE, parameter = "s", range = c(-6, 0), deviance = function(v) deviance_of(
         y ~ c, transform(ovary, y = follicles - v * s), ~ 1 | mare, corAR1(0.5, ~ position | mare), method = "ML")),
  list(data = "body_weight", formula = "weight ~ time * diet + (time | rat)", residual = list(kind = "CAR1", position = "time"),
       reml = TRUE, parameter = "phi", range = c(0.3, 0.96), deviance = function(v) deviance_of(
         weight ~ time * diet, weight, ~ time | rat, corCAR1(v, ~ time | rat, fixed = TRUE))),
  list(data = "orthodont_series", formula = "distance ~ age * sex + (age | subject)",
       residual = list(kind = "VarIdent", strata = "sex"), reml = TRUE, parameter = "sd(Male)/sd(Female)",
       range = c(1.2, 5), deviance = function(v) deviance_of(
         distance ~ age * sex, orthodont, ~ age | subject, weights = varIdent(form = ~ 1 | sex, fixed = c(Female = 1 / v)))),
  list(data = "series", formula = "y ~ order * arm + (1 + order | outer/inner)",
       residual = list(kind = "AR1", position = "order"), reml = TRUE, parameter = "phi", range = c(0.2, 0.8),
       deviance = function(v) deviance_of(y ~ order * arm, series, two, corAR1(v, ~ order | outer/inner, fixed = TRUE)))
)

limits <- function(case) {
  to <- if (is.null(case$scale)) identity else case$scale
  rise <- function(u) case$deviance(to(u))
  best <- optimize(rise, case$range, tol = 1e-7)
  root <- function(ends) to(uniroot(function(u) rise(u) - best$objective - cut, ends, tol = 1e-9)$root)
  list(data = case$data, formula = case$formula, residual = case$residual, reml = case$reml, parameter = case$parameter,
       deviance = best$objective, lower = root(c(case$range[1], best$minimum)), upper = root(c(best$minimum, case$range[2])))
}

found <- list(versions = list(R = paste(R.version$major, R.version$minor, sep = "."), nlme = as.character(packageVersion("nlme"))),
              profiles = lapply(cases, limits))
write_json(found, file.path(here, "residuals_profile.json"), auto_unbox = TRUE, digits = NA, pretty = TRUE)
