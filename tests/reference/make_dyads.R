# Two raters and two members of a case: dyads.json, by nlme, lme4 and lmerTest.
# Data: acitelli_couples_pairwise.csv (CC0; R package dyadr), read from beside the checkout and not committed; small/pairs.csv and
# small/tracking.csv are simulated here. Run: Rscript tests/reference/make_dyads.R
suppressPackageStartupMessages({library(nlme); library(lme4); library(lmerTest); library(jsonlite)})
d <- read.csv("../shared/data/acitelli_couples_pairwise.csv")
d$Gender <- trimws(d$Gender)
of <- function(f) list(coef = as.numeric(coef(f)), se = sqrt(diag(vcov(f))), sigma = f$sigma, llf = as.numeric(logLik(f)),
                       cor = as.numeric(coef(f$modelStruct$corStruct, unconstrained = FALSE)))
cs <- corCompSymm(form = ~ 1 | CoupleID)
tight <- glsControl(msTol = 1e-10, tolerance = 1e-10, opt = "optim", msMaxIter = 500)
tension <- gls(Satisfaction_A ~ Tension_A + SelfPos_P, d, correlation = cs, control = tight)
other <- gls(Satisfaction_A ~ OtherPos_A + OtherPos_P, d, correlation = cs, control = tight)
d$Gender <- factor(d$Gender, levels = c("Wife", "Husband"))
apart_of <- function(method) gls(Satisfaction_A ~ 0 + Gender + Gender:OtherPos_A + Gender:OtherPos_P, d, correlation = cs,
                                 weights = varIdent(form = ~ 1 | Gender), method = method, control = tight)
apart <- apart_of("REML")
ml <- gls(Satisfaction_A ~ OtherPos_A + OtherPos_P, d, correlation = cs, method = "ML", control = tight)
ratio <- 2 * as.numeric(logLik(apart_of("ML")) - logLik(ml))

set.seed(20)
k <- 14; therapist <- rep(seq_len(k), times = rep(c(3, 6, 4, 7, 5, 2, 8), 2)); n <- length(therapist)
mv <- function(n, s1, s2, r) { a <- rnorm(n); b <- r * a + sqrt(1 - r^2) * rnorm(n); cbind(s1 * a, s2 * b) }
u <- mv(k, .5, .4, .3)[therapist, ]; p <- mv(n, .8, .6, .5)
rows <- do.call(rbind, lapply(1:4, function(s) {
  e <- mv(n, .5, .4, .2)
  rbind(data.frame(therapist, client = seq_len(n), session = s, role = "client", rating = 5 + u[, 1] + p[, 1] + e[, 1]),
        data.frame(therapist, client = seq_len(n), session = s, role = "therapist", rating = 4.6 + u[, 2] + p[, 2] + e[, 2]))
}))
rows$rating <- round(rows$rating, 3)
rows <- rows[runif(nrow(rows)) > .12, ]
write.csv(rows, "tests/reference/small/pairs.csv", row.names = FALSE, quote = FALSE)
rows$role <- factor(rows$role); rows$rolenum <- as.integer(rows$role)
rows <- rows[order(rows$therapist, rows$client, rows$session, rows$rolenum), ]
control <- lmeControl(opt = "optim", msMaxIter = 1000, maxIter = 1000, tolerance = 1e-9, msTol = 1e-10)
with_sessions <- lme(rating ~ 0 + role, rows, random = list(therapist = pdSymm(~ 0 + role), client = pdSymm(~ 0 + role)),
                     correlation = corSymm(form = ~ rolenum | therapist/client/session), weights = varIdent(form = ~ 1 | rolenum), control = control)
once <- rows[rows$session == 2, ]
without <- lme(rating ~ 0 + role, once, random = list(therapist = pdSymm(~ 0 + role)),
               correlation = corSymm(form = ~ rolenum | therapist/client), weights = varIdent(form = ~ 1 | rolenum), control = control)
parts <- function(f, groups) {
  ratio <- coef(f$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
  ratio <- ratio[order(names(ratio))]
  list(mean = as.numeric(fixef(f)), se = as.numeric(sqrt(diag(vcov(f)))), llf = as.numeric(logLik(f)),
       levels = lapply(groups, function(g) as.matrix(f$sigma^2 * as.matrix(f$modelStruct$reStruct[[g]]))),
       residual = as.numeric((f$sigma * ratio)^2), residual_cor = as.numeric(coef(f$modelStruct$corStruct, unconstrained = FALSE)))
}
set.seed(4)
m <- 40
long <- do.call(rbind, lapply(seq_len(m), function(i) {
  t <- seq_len(sample(3:8, 1)); client <- 5 + rnorm(1, 0, .7) + rnorm(length(t), 0, .6)
  data.frame(person = i, time = t, client = round(client, 3),
             therapist = round(4.5 + .4 * (mean(client) - 5) + (.25 + rnorm(1, 0, .2)) * (client - mean(client)) + rnorm(1, 0, .5) + .03 * t + rnorm(length(t), 0, .4), 3))
}))
write.csv(long, "tests/reference/small/tracking.csv", row.names = FALSE, quote = FALSE)
centre <- mean(long$client)
long <- transform(long, j = therapist - centre, t = client - centre, between = ave(client, person) - centre, within = client - ave(client, person), time = time - mean(time))
split <- lmer(j ~ within + between + time + (1 + within | person), long)
total <- lmer(j ~ t + time + (1 + within | person), long)
co <- function(f) { s <- coef(summary(f)); list(term = rownames(s), est = s[, 1], se = s[, 2], df = s[, 3]) }
out <- list(tension = of(tension), other = of(other), apart = of(apart), ratio = ratio,
            apart_sd = as.numeric(apart$sigma * coef(apart$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)),
            with_sessions = parts(with_sessions, c("client", "therapist")), without = parts(without, "therapist"),
            split = co(split), total = co(total), r = R.version.string, nlme = as.character(packageVersion("nlme")))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = TRUE), "tests/reference/dyads.json")
