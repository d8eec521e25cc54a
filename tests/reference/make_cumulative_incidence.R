# Cumulative incidence with competing ends by R's survival, without and with clusters.
# Writes tests/reference/cumulative_incidence.json and small/ends.csv. Run: Rscript tests/reference/make_cumulative_incidence.R
suppressMessages({library(survival); library(jsonlite)})
set.seed(20261130)
n <- 150
d <- data.frame(therapist = sample(1:15, n, TRUE), arm = sample(c("a", "b"), n, TRUE), sessions = pmin(rgeom(n, .12) + 1, 16))
d$end <- ifelse(d$sessions == 16, NA, sample(c("left", "planned", NA), n, TRUE, c(.4, .4, .2)))
write.csv(d, "tests/reference/small/ends.csv", row.names = FALSE, na = "")
d$status <- factor(ifelse(is.na(d$end), "open", d$end), c("open", "left", "planned"))
of <- function(fit) {
  keep <- rowSums(fit$n.event[, -1, drop = FALSE]) > 0
  list(time = fit$time[keep], risk = fit$n.risk[keep, 1], left = fit$pstate[keep, 2], planned = fit$pstate[keep, 3],
       se_left = fit$std.err[keep, 2], se_planned = fit$std.err[keep, 3], low = fit$lower[keep, 2], high = fit$upper[keep, 2])
}
# survfit ignores cluster= with several states: the influences of people, summed by therapist.
fit <- survfit(Surv(sessions, status) ~ 1, d, conf.type = "log-log", influence = TRUE)
clustered <- of(fit); keep <- rowSums(fit$n.event[, -1]) > 0
robust <- function(k) sqrt(colSums(rowsum(fit$influence.pstate[, -1, k], d$therapist)^2))[keep]
clustered$se_left <- robust(2); clustered$se_planned <- robust(3)
out <- list(
  all = of(survfit(Surv(sessions, status) ~ 1, d, conf.type = "log-log")),
  a = of(survfit(Surv(sessions, status) ~ 1, d[d$arm == "a", ], conf.type = "log-log")),
  clustered = clustered,
  survival = as.character(packageVersion("survival")))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = FALSE), "tests/reference/cumulative_incidence.json")
