# Scores missing after dropout, imputed by pan (in mitml), jomo and mice; pooled estimates of a growth model.
# Writes tests/reference/imputation.json and small/dropout.csv. Run: Rscript tests/reference/make_imputation.R (a minute)
suppressMessages({library(lme4); library(mitml); library(jomo); library(mice); library(jsonlite)})
set.seed(20261130)
n <- 80; weeks <- 0:4
d <- expand.grid(week = weeks, client = seq_len(n))[, 2:1]
b <- MASS::mvrnorm(n, c(0, 0), matrix(c(9, -1, -1, 1), 2)); arm <- rep(0:1, length.out = n)
d$arm <- arm[d$client]
d$y <- round(18 - 1.2 * d$week - .8 * d$week * d$arm + b[d$client, 1] + b[d$client, 2] * d$week + rnorm(nrow(d), 0, 2), 3)
for (i in seq_len(n)) for (k in 2:4) {   # leaving follows the last score seen
  y <- d$y[d$client == i]
  if (!is.na(y[k]) && runif(1) < plogis(-4 + .15 * y[k])) { d$y[d$client == i & d$week >= weeks[k + 1]] <- NA; break }
}
write.csv(d, "tests/reference/small/dropout.csv", row.names = FALSE, na = "")
m <- 400
fits <- function(list) {
  f <- lapply(list, function(x) lmer(y ~ week * arm + (1 + week | client), x, control = lmerControl(calc.derivs = FALSE)))
  e <- testEstimates(f)$estimates
  list(estimate = unname(e[, "Estimate"]), se = unname(e[, "Std.Error"]), fmi = unname(e[, "FMI"]))
}
d$wa <- d$week * d$arm
sink("/dev/null")
pan <- panImpute(d, formula = y ~ week * arm + (1 + week | client), n.burn = 5000, n.iter = 100, m = m, seed = 1)
jo <- jomo1rancon(Y = d["y"], X = cbind(one = 1, d[c("week", "arm", "wa")]), Z = cbind(one = 1, d["week"]), clus = d["client"],
                  nburn = 3000, nbetween = 100, nimp = m, output = 0)
sink()
jo <- lapply(split(jo, jo$Imputation)[-1], function(x) data.frame(client = x$clus, week = x$week, arm = x$arm, y = x$y))
p <- make.predictorMatrix(d); p[] <- 0; p["y", c("client", "week", "arm", "wa")] <- c(-2, 2, 1, 1)
mi <- mice(d, m = 100, maxit = 1, method = c("", "", "", "2l.pan", ""), predictorMatrix = p, printFlag = FALSE, seed = 2)
complete_case <- summary(lmer(y ~ week * arm + (1 + week | client), d))$coefficients
final <- sapply(mitmlComplete(pan, "all"), function(x) x$y[is.na(d$y) & d$week == 4])
out <- list(missing = sum(is.na(d$y)), reml = list(estimate = unname(complete_case[, 1]), se = unname(complete_case[, 2])),
            pan = fits(mitmlComplete(pan, "all")), jomo = fits(jo), mice = fits(complete(mi, "all")),
            last = list(mean = unname(rowMeans(final)), sd = unname(apply(final, 1, sd))),
            m = m, mitml = as.character(packageVersion("mitml")), jomo_version = as.character(packageVersion("jomo")),
            mice_version = as.character(packageVersion("mice")))
writeLines(toJSON(out, digits = 8, auto_unbox = TRUE, pretty = TRUE), "tests/reference/imputation.json")
