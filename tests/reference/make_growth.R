# Shapes of growth by lme4 (ML), and Fieller's limits by inverting the test: growth.json. small/courses.csv is simulated here.
# Run: Rscript tests/reference/make_growth.R
suppressPackageStartupMessages({library(lme4); library(jsonlite)})
set.seed(7)
n <- 50
d <- do.call(rbind, lapply(seq_len(n), function(i) {
  t <- 0:sample(5:9, 1)
  data.frame(person = i, t = t, y = round(4 + rnorm(1, 0, .6) + (.25 + rnorm(1, 0, .06)) * t - .03 * t^2 + rnorm(length(t), 0, .35), 3))
}))
d$intake <- round(rnorm(n, 4, .5), 2)[d$person]
d$y <- d$y + round(.5 * (d$intake - 4), 3)
write.csv(d, "tests/reference/small/courses.csv", row.names = FALSE, quote = FALSE)
c0 <- mean(d$t); k <- quantile(sort(unique(d$t)), c(1/3, 2/3))
d <- transform(d, tc = t - c0, lt = log(t + 1), a1 = pmax(t - k[1], 0), a2 = pmax(t - k[2], 0))
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9))
fit <- function(f) lmer(f, d, REML = FALSE, control = control)
fits <- list(linear = fit(y ~ tc + (tc | person)), log = fit(y ~ lt + (lt | person)), quadratic = fit(y ~ tc + I(tc^2) + (tc | person)),
             piecewise = fit(y ~ tc + a1 + a2 + (tc | person)))
b <- fixef(fits$quadratic); V <- as.matrix(vcov(fits$quadratic))
g <- function(t) (b[2] + 2 * t * b[3])^2 - qnorm(.975)^2 * (V[2, 2] + 4 * t * V[2, 3] + 4 * t^2 * V[3, 3])
at <- -b[2] / (2 * b[3])
expected <- lmer(y ~ intake + lt + (lt | person), d, control = control)
# a new person: multivariate normal given the scores so far
G <- as.matrix(VarCorr(expected)$person); s2 <- sigma(expected)^2; be <- fixef(expected)
t0 <- c(0, 1, 3); y0 <- c(4.2, 4.6, 5.1); t1 <- c(5, 8)
z <- function(t) cbind(1, log(t + 1)); m <- function(t) be[1] + be[2] * 4.2 + be[3] * log(t + 1)
S00 <- z(t0) %*% G %*% t(z(t0)) + diag(s2, 3); S10 <- z(t1) %*% G %*% t(z(t0)); S11 <- z(t1) %*% G %*% t(z(t1)) + diag(s2, 2)
new_mean <- m(t1) + S10 %*% solve(S00, y0 - m(t0)); new_sd <- sqrt(diag(S11 - S10 %*% solve(S00, t(S10))))
# the mean course as a natural cubic spline with knots at the 5th, 35th, 65th and 95th percentile; persons differ in log(t + 1)
kn <- as.numeric(quantile(d$t, c(.05, .35, .65, .95)))
basis <- function(t) splines::ns(t, knots = kn[2:3], Boundary.knots = kn[c(1, 4)])
sp <- lmer(y ~ intake + basis(t) + (lt | person), d, control = control)
G <- as.matrix(VarCorr(sp)$person); s2 <- sigma(sp)^2; bs <- fixef(sp)
m <- function(t) as.numeric(cbind(1, 4.2, basis(t)) %*% bs)
S00 <- z(t0) %*% G %*% t(z(t0)) + diag(s2, 3); S10 <- z(t1) %*% G %*% t(z(t0)); S11 <- z(t1) %*% G %*% t(z(t1)) + diag(s2, 2)
spline <- list(knots = kn, mean = m(0:9), sd0 = sqrt(diag(S11)), after = as.numeric(m(t1) + S10 %*% solve(S00, y0 - m(t0))),
               sd = sqrt(diag(S11 - S10 %*% solve(S00, t(S10)))))
out <- list(spline = spline, expected = list(coef = as.numeric(be), se = sqrt(diag(as.matrix(vcov(expected)))), mean = as.numeric(new_mean), sd = as.numeric(new_sd)), fits = lapply(fits, function(f) list(llf = as.numeric(logLik(f)), aic = AIC(f), bic = BIC(f))), center = c0, knots = as.numeric(k),
            turning = as.numeric(at) + c0, fieller = c(uniroot(g, c(at - 20, at), tol = 1e-10)$root, uniroot(g, c(at, at + 20), tol = 1e-10)$root) + c0,
            r = R.version.string)
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = TRUE), "tests/reference/growth.json")
