# Accuracy of risks and warnings by pROC (DeLong), glm with clubSandwich (CR1), and Mercaldo's interval written out: prediction.json.
# small/risks.csv is simulated here. Run: Rscript tests/reference/make_prediction.R
suppressPackageStartupMessages({library(pROC); library(clubSandwich); library(jsonlite)})
set.seed(11)
n <- 240; th <- sample(1:16, n, TRUE); u <- rnorm(16, 0, .7)[th]
x <- rnorm(n); w <- rnorm(n)
event <- rbinom(n, 1, plogis(-1.4 + x + .6 * w + u))
d <- data.frame(event = event, risk = round(plogis(-1.2 + 1.3 * x), 4), other = round(plogis(-1.3 + x + .5 * w), 4), therapist = th)
write.csv(d, "tests/reference/small/risks.csv", row.names = FALSE, quote = FALSE)
one <- roc(d$event, d$risk, quiet = TRUE, direction = "<"); two <- roc(d$event, d$other, quiet = TRUE, direction = "<")
test <- roc.test(one, two, paired = TRUE, method = "delong")
# Obuchowski 1997, written out with loops over clusters
psi <- function(a, b) (a > b) + .5 * (a == b)
clustered <- function(r) {
  p <- outer(r[d$event == 1], r[d$event == 0], psi); A <- mean(p); m <- nrow(p); k <- ncol(p)
  ill <- d$therapist[d$event == 1]; well <- d$therapist[d$event == 0]; I <- length(unique(d$therapist))
  V10 <- rowMeans(p); V01 <- colMeans(p); s10 <- s01 <- s11 <- 0
  for (g in unique(d$therapist)) {
    a <- sum(V10[ill == g] - A); b <- sum(V01[well == g] - A)
    s10 <- s10 + a^2; s01 <- s01 + b^2; s11 <- s11 + a * b
  }
  I10 <- length(unique(ill)); I01 <- length(unique(well))
  s10 <- s10 * I10 / ((I10 - 1) * m); s01 <- s01 * I01 / ((I01 - 1) * k); s11 <- s11 * I / (I - 1)
  sqrt(s10 / m + s01 / k + 2 * s11 / (m * k))
}
lo <- qlogis(d$risk)
slope <- glm(event ~ lo, binomial, cbind(d, lo), control = list(epsilon = 1e-14, maxit = 100))
level <- glm(event ~ 1 + offset(lo), binomial, cbind(d, lo), control = list(epsilon = 1e-14, maxit = 100))
cr1 <- function(f, cl) as.numeric(sqrt(diag(as.matrix(vcovCR(f, cl, "CR1")))))
flag <- d$risk > .4
se <- mean(flag[d$event == 1]); sp <- mean(!flag[d$event == 0]); n1 <- sum(d$event); n0 <- n - n1
ppv <- function(q) { p <- q * se / (q * se + (1 - q) * (1 - sp)); s <- sqrt((1 - se) / (se * n1) + sp / ((1 - sp) * n0)); c(p, plogis(qlogis(p) + c(-1, 1) * qnorm(.975) * s)) }
out <- list(auc = as.numeric(auc(one)), auc_se = sqrt(var(one)), other = as.numeric(auc(two)), delta = as.numeric(auc(two) - auc(one)),
            delta_se = as.numeric((auc(two) - auc(one)) / test$statistic) * sign(1) , z = as.numeric(test$statistic),
            clustered_se = c(clustered(d$risk), clustered(d$other)), brier = mean((d$risk - d$event)^2),
            slope = unname(coef(slope)[2]), slope_se = cr1(slope, d$therapist)[2], intercept = unname(coef(level)[1]), intercept_se = cr1(level, d$therapist)[1],
            sensitivity = se, specificity = sp, ppv_5 = ppv(.05), ppv_10 = ppv(.1), r = R.version.string)
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = TRUE), "tests/reference/prediction.json")
