# Meta-analysis in metafor and clubSandwich: published examples of metadat, simulated effects (small/effects.csv, written
# here), and the arms of CBT studies of Lopez-Lopez et al. 2019 from beside the checkout.
# Writes tests/reference/meta.json. Run: Rscript tests/reference/make_meta.R
suppressMessages({library(metafor); library(clubSandwich); library(metadat); library(jsonlite)})
ctl <- list(threshold = 1e-12, maxiter = 1000, tol = 1e-13)
two <- function(yi, vi, mods, method, test) {
  fit <- if (is.null(mods)) rma(yi, vi, method = method, test = test, control = ctl) else
    rma(yi, vi, mods = mods, method = method, test = test, control = ctl)
  r <- list(beta = c(coef(fit)), se = fit$se, low = fit$ci.lb, high = fit$ci.ub, tau2 = fit$tau2, q = fit$QE, i2 = fit$I2,
            llf = as.numeric(logLik(fit)), df = if (test == "knha") fit$k - fit$p else -1)
  if (is.null(mods)) {
    p <- predict(fit); r$pi <- c(p$pi.lb, p$pi.ub)
    cr <- coef_test(fit, vcov = "CR2", cluster = seq_along(yi)); r$cr2 <- list(se = cr$SE, df = cr$df_Satt)
  }
  r
}
three <- function(yi, vi, study, mods, method, test) {
  d <- data.frame(yi, vi, study, effect = seq_along(yi))
  fit <- if (is.null(mods)) rma.mv(yi, vi, random = ~ 1 | study / effect, data = d, method = method, test = test,
                                   control = list(rel.tol = 1e-10)) else
    rma.mv(yi, vi, mods = mods, random = ~ 1 | study / effect, data = d, method = method, test = test,
           control = list(rel.tol = 1e-10))
  cr <- coef_test(fit, vcov = "CR2", cluster = study)
  W <- diag(1 / vi); X <- model.matrix(fit); P <- W - W %*% X %*% solve(t(X) %*% W %*% X) %*% t(X) %*% W
  i2 <- 100 * fit$sigma2 / (sum(fit$sigma2) + (fit$k - fit$p) / sum(diag(P)))
  r <- list(beta = c(coef(fit)), se = fit$se, low = fit$ci.lb, high = fit$ci.ub, sigma2 = fit$sigma2, q = fit$QE, i2 = i2,
            llf = as.numeric(logLik(fit)), cr2 = list(se = cr$SE, df = cr$df_Satt))
  if (is.null(mods)) { p <- predict(fit); r$pi <- c(p$pi.lb, p$pi.ub) }
  r
}
set.seed(20261130)
G <- 18; n <- sample(1:6, G, TRUE)
s <- rep(seq_len(G), n); k <- length(s)
d <- data.frame(study = sprintf("S%02d", s), v = round(runif(k, .01, .08), 4), year = round(rnorm(G), 2)[s],
                rater = sample(c("client", "observer", "therapist"), k, TRUE))
d$y <- round(.25 + .1 * d$year + rnorm(G, 0, .25)[s] + rnorm(k, 0, .15) + rnorm(k, 0, sqrt(d$v)), 4)
write.csv(d, "tests/reference/small/effects.csv", row.names = FALSE)
X <- model.matrix(~ year + rater, d)[, -1]
grid <- function(yi, vi, mods) {
  out <- list()
  for (m in c("REML", "ML", "DL", "PM")) for (t in c("z", "knha")) out[[paste(m, t)]] <- two(yi, vi, mods, m, t)
  out
}
molloy <- dat.molloy2014; z <- escalc(measure = "ZCOR", ri = ri, ni = ni, data = molloy)
konst <- dat.konstantopoulos2011; assink <- dat.assink2016
lopez <- read.csv("../shared/data/meta_lopez2019_cbt_depression.csv")
out <- list(
  molloy = list(r = molloy$ri, n = molloy$ni, fits = grid(z$yi, z$vi, NULL)),
  konstantopoulos = list(y = konst$yi, v = konst$vi, study = konst$district,
                         fit = three(konst$yi, konst$vi, konst$district, NULL, "REML", "z")),
  assink = list(y = assink$yi, v = assink$vi, study = assink$study,
                fit = three(assink$yi, assink$vi, assink$study, NULL, "REML", "z")),
  effects = list(plain = grid(d$y, d$v, NULL), moderated = grid(d$y, d$v, X),
                 three = three(d$y, d$v, d$study, NULL, "REML", "z"), three_ml = three(d$y, d$v, d$study, NULL, "ML", "z"),
                 three_t = three(d$y, d$v, d$study, X, "REML", "t")),
  lopez = list(two = two(lopez$diff, lopez$se^2, NULL, "REML", "knha"),
               arms = two(lopez$diff, lopez$se^2, cbind(group = lopez$group), "REML", "z"),
               three = three(lopez$diff, lopez$se^2, lopez$study, cbind(group = lopez$group), "REML", "z")),
  r = R.version.string, metafor = as.character(packageVersion("metafor")),
  clubSandwich = as.character(packageVersion("clubSandwich")))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = FALSE), "tests/reference/meta.json")
