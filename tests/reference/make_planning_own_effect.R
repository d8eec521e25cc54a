# Studies of one plan whose effect within therapists differs between them, simulated and fitted by lme4: planning_own_effect.json.
# Run: Rscript tests/reference/make_planning_own_effect.R [studies], some minutes (Debian: r-cran-lmertest).
suppressMessages({library(lmerTest); library(jsonlite)})
given <- commandArgs(TRUE)
studies <- if (length(given)) as.integer(given[1]) else 300
j <- 24; n <- 8; times <- 0:5; omega <- .02; effect <- .17
client <- matrix(c(13, .05, .05, .1), 2); therapist <- matrix(c(1.3, 0, 0, .03), 2); residual <- 5
draw <- function(k, s) matrix(rnorm(2 * k), k) %*% chol(s)
set.seed(20260101)
one <- function(i) {
  own <- rep(1:j, each = n)
  w <- rnorm(j * n); w <- w - ave(w, own); w <- w * sqrt((j * n - j) / sum(w^2))
  b <- rnorm(j); b <- (b - mean(b)) / sd(b)
  t <- draw(j, therapist); c <- draw(j * n, client); h <- rnorm(j, effect, sqrt(omega))
  d <- data.frame(therapist = rep(own, each = length(times)), client = rep(1:(j * n), each = length(times)), weeks = times)
  d$w <- w[d$client]; d$b <- b[d$therapist]
  d$y <- t[d$therapist, 1] + c[d$client, 1] + (t[d$therapist, 2] + c[d$client, 2] + h[d$therapist] * d$w) * d$weeks +
    rnorm(nrow(d), 0, sqrt(residual))
  d$wx <- d$weeks * d$w
  f <- suppressWarnings(suppressMessages(lmer(
    y ~ weeks * (w + b) + (1 + weeks | therapist) + (1 + weeks | client) + (0 + wx | therapist), d)))
  r <- coef(summary(f))["weeks:w", ]
  c(r[["Estimate"]], r[["Std. Error"]], r[["df"]], r[["Pr(>|t|)"]])
}
found <- t(sapply(seq_len(studies), one))
limit <- qt(.975, found[, 3]) * found[, 2]
out <- list(therapists = j, clients = n, times = times, effect_variance = omega, effect = effect, residual = residual,
            client = client, therapist = therapist, studies = studies, power = mean(found[, 4] < .05),
            coverage = mean(abs(found[, 1] - effect) <= limit), mean_se = mean(found[, 2]), sd = sd(found[, 1]), bias = mean(found[, 1]) - effect,
            r = R.version.string, lme4 = as.character(packageVersion("lme4")))
writeLines(toJSON(out, digits = 10, auto_unbox = TRUE, pretty = TRUE), "tests/reference/planning_own_effect.json")
