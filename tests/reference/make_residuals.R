# Correlated residuals and unequal residual variances in nlme: residuals.json.
#
#   Rscript tests/reference/make_residuals.R
#
# Needs R with nlme, clubSandwich and jsonlite. BodyWeight, Ovary and Orthodont are data sets of nlme (GPL; the figures of Hand and
# Crowder 1996, Pierson and Ginther 1987, Potthoff and Roy 1964); `series` is made here, three levels, unbalanced, with
# gaps, single rows and irregular times. The rows are written to small/*.csv.
#
# nlme stops where a step changes little, so every fit is restarted from its own optimum's neighbourhood by other
# optimisers, and the best is kept; standard errors of variance parameters are from its finite-difference Hessian.

suppressPackageStartupMessages({
  library(nlme)
  library(clubSandwich)
  library(jsonlite)
})

here <- normalizePath(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))

# ---------------------------------------------------------------- data

series <- function(seed) {
  set.seed(seed)
  rows <- list()
  for (o in 1:12) {
    b <- rnorm(2) * c(1.5, 0.3)
    for (i in seq_len(sample(3:7, 1))) {
      u <- rnorm(2) * c(2, 0.35)
      n <- if (i == 1 && o <= 3) 1 else sample(4:11, 1)
      order <- sort(sample(0:13, n))
      time <- sort(sample(1:400, n)) / 10
      how <- sample(c("a", "b", "c"), n, replace = TRUE)
      r <- 0.55^abs(outer(order, order, "-"))
      e <- c(a = 1.5, b = 2.4, c = 1.1)[how] * drop(t(chol(r)) %*% rnorm(n))
      rows[[length(rows) + 1]] <- data.frame(
        outer = paste0("o", o), inner = paste0("o", o, "i", i), arm = i %% 2, order = order, time = time, how = how,
        y = round(12 - 0.5 * order + 0.8 * (i %% 2) + b[1] + u[1] + (b[2] + u[2]) * order + e, 3))
    }
  }
  do.call(rbind, rows)
}

orthodont <- as.data.frame(Orthodont)
orthodont <- data.frame(subject = as.character(orthodont$Subject), sex = as.character(orthodont$Sex),
                        age = orthodont$age, position = (orthodont$age - 8) / 2, distance = orthodont$distance)
weight <- as.data.frame(BodyWeight)
weight <- data.frame(rat = as.integer(as.character(weight$Rat)), diet = paste0("d", weight$Diet), time = weight$Time,
                     weight = weight$weight)
ovary <- as.data.frame(Ovary)
ovary <- data.frame(mare = as.integer(as.character(ovary$Mare)), time = ovary$Time, follicles = ovary$follicles)
ovary$position <- ave(seq_len(nrow(ovary)), ovary$mare, FUN = seq_along)
ovary$s <- sin(2 * pi * ovary$time)
ovary$c <- cos(2 * pi * ovary$time)
data <- list(series = series(7), orthodont_series = orthodont, body_weight = weight, ovary = ovary)
for (name in names(data)) {
  write.csv(data[[name]], file.path(here, "small", paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}

# ---------------------------------------------------------------- models

two <- list(outer = ~order, inner = ~order)
models <- list(
  list(data = "body_weight", formula = "weight ~ time * diet + (time | rat)", fixed = weight ~ time * diet,
       random = ~ time | rat, correlation = corCAR1(form = ~ time | rat), residual = list(kind = "CAR1", position = "time")),
  list(data = "ovary", formula = "follicles ~ s + c + (1 + s || mare)", fixed = follicles ~ s + c,
       random = list(mare = pdDiag(~s)), correlation = corAR1(form = ~ position | mare),
       residual = list(kind = "AR1", position = "position")),
  list(data = "ovary", formula = "follicles ~ s + c + (1 | mare)", fixed = follicles ~ s + c, random = ~ 1 | mare,
       correlation = corCAR1(form = ~ time | mare), residual = list(kind = "CAR1", position = "time")),
  list(data = "orthodont_series", formula = "distance ~ age * sex + (age | subject)", fixed = distance ~ age * sex,
       random = ~ age | subject, weights = varIdent(form = ~ 1 | sex), residual = list(kind = "VarIdent", strata = "sex")),
  list(data = "orthodont_series", formula = "distance ~ age * sex + (1 | subject)", fixed = distance ~ age * sex,
       random = ~ 1 | subject, correlation = corAR1(form = ~ position | subject),
       residual = list(kind = "AR1", position = "position")),
  list(data = "series", formula = "y ~ order * arm + (1 + order | outer/inner)", fixed = y ~ order * arm, random = two,
       correlation = corAR1(form = ~ order | outer/inner), residual = list(kind = "AR1", position = "order")),
  list(data = "series", formula = "y ~ order * arm + (1 + order | outer/inner)", fixed = y ~ order * arm, random = two,
       weights = varIdent(form = ~ 1 | how), residual = list(kind = "VarIdent", strata = "how")),
  list(data = "series", formula = "y ~ order * arm + (1 + order | outer/inner)", fixed = y ~ order * arm, random = two,
       correlation = corAR1(form = ~ order | outer/inner), weights = varIdent(form = ~ 1 | how),
       residual = list(kind = "AR1", position = "order", strata = "how")),
  list(data = "series", formula = "y ~ time * arm + (1 | outer/inner)", fixed = y ~ time * arm,
       random = list(outer = ~1, inner = ~1), correlation = corCAR1(form = ~ time | outer/inner),
       weights = varIdent(form = ~ 1 | how), residual = list(kind = "CAR1", position = "time", strata = "how"))
)

fit_one <- function(model, reml) {
  call <- list(fixed = model$fixed, random = model$random, data = data[[model$data]], method = if (reml) "REML" else "ML")
  call$correlation <- model$correlation
  call$weights <- model$weights
  best <- NULL
  for (control in list(
    lmeControl(maxIter = 500, msMaxIter = 2000, msMaxEval = 5000, tolerance = 1e-10, msTol = 1e-12, niterEM = 50),
    lmeControl(maxIter = 500, msMaxIter = 2000, msMaxEval = 5000, tolerance = 1e-10, msTol = 1e-12, niterEM = 0),
    lmeControl(opt = "optim", maxIter = 500, msMaxIter = 2000, tolerance = 1e-10, msTol = 1e-12))) {
    fit <- tryCatch(do.call(lme, c(call, list(control = control))), error = function(e) NULL)
    if (!is.null(fit) && (is.null(best) || logLik(fit) > logLik(best))) best <- fit
  }
  best
}

own_scale <- function(fit) {
  # Estimates and standard errors of phi, ratios and sigma in their own units; the reference is the first stratum by name.
  cov <- fit$apVar
  known <- is.matrix(cov)
  out <- list()
  if (!is.null(fit$modelStruct$corStruct)) {
    phi <- unname(coef(fit$modelStruct$corStruct, unconstrained = FALSE))
    slope <- if (inherits(fit$modelStruct$corStruct, "corCAR1")) phi * (1 - phi) else (1 - phi^2) / 2
    out$phi <- list(estimate = phi, se = if (known) sqrt(cov["corStruct", "corStruct"]) * slope else NA)
  }
  sigma <- fit$sigma
  at <- if (known) as.numeric(rownames(cov) == "lSigma") else NA
  if (!is.null(fit$modelStruct$varStruct)) {
    ratio <- coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
    free <- names(coef(fit$modelStruct$varStruct, unconstrained = FALSE))
    strata <- sort(names(ratio))
    place <- function(stratum) {  # which free parameter is the logarithm of this stratum's ratio
      if (known) as.numeric(rownames(cov) == c(grep("^varStruct", rownames(cov), value = TRUE)[match(stratum, free)])) else NA
    }
    indicator <- function(stratum) if (stratum %in% free) place(stratum) else 0 * at
    out$ratios <- lapply(strata[-1], function(stratum) {
      contrast <- indicator(stratum) - indicator(strata[1])
      value <- unname(ratio[stratum] / ratio[strata[1]])
      list(stratum = stratum, estimate = value,
           se = if (known) value * sqrt(drop(contrast %*% cov %*% contrast)) else NA)
    })
    sigma <- unname(sigma * ratio[strata[1]])
    at <- at + indicator(strata[1])
  }
  out$sigma <- list(estimate = sigma, se = if (known) sigma * sqrt(drop(at %*% cov %*% at)) else NA)
  out
}

robust <- function(fit, clusters) {
  lapply(c(CR0 = "CR0", CR2 = "CR2"), function(type) {
    table <- coef_test(fit, vcov = vcovCR(fit, cluster = clusters, type = type), test = "Satterthwaite")
    list(se = table$SE, df = table$df_Satt)
  })
}

results <- list()
for (model in models) {
  for (reml in c(TRUE, FALSE)) {
    fit <- fit_one(model, reml)
    variances <- lapply(rev(as.list(fit$modelStruct$reStruct)), function(m) fit$sigma^2 * as.matrix(m))
    results[[length(results) + 1]] <- c(
      list(data = model$data, formula = model$formula, residual = model$residual, reml = reml,
           deviance = -2 * as.numeric(logLik(fit)), terms = names(fixef(fit)), beta = unname(fixef(fit)),
           se = unname(sqrt(diag(vcov(fit)))), covariances = unname(lapply(rev(variances), unname))),
      own_scale(fit), list(robust = if (model$data == "series" && reml) robust(fit, data$series$outer)))
    cat(model$data, model$formula, unlist(model$residual), reml, -2 * as.numeric(logLik(fit)), "\n")
  }
}
write_json(list(r = R.version.string, nlme = as.character(packageVersion("nlme")), models = results),
           file.path(here, "residuals.json"), auto_unbox = TRUE, digits = NA, pretty = TRUE)
