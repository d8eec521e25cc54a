# Actor and partner effects with missing members: dyads_fiml.json, by lavaan (full information) and lme4 (therapists).
# small/couples.csv is simulated here. Run: Rscript tests/reference/make_dyads_fiml.R
suppressPackageStartupMessages({library(lavaan); library(lme4); library(jsonlite)})
set.seed(7)
k <- 24; therapist <- rep(seq_len(k), each = 5); n <- length(therapist)
u <- rnorm(k, 0, .6)[therapist]
shared <- rnorm(n, 0, .5)
x <- cbind(rnorm(n), rnorm(n)) + .6 * shared
c0 <- cbind(rnorm(n), rnorm(n)) + .3 * x + .4 * shared
e <- rnorm(n, 0, .6)
y1 <- .4 * x[, 1] + .2 * x[, 2] + .5 * c0[, 1] + u + e + rnorm(n, 0, .8)
y2 <- .1 + .7 * x[, 2] + .1 * x[, 1] + .4 * c0[, 2] + u + e + rnorm(n, 0, 1.1)
rows <- rbind(data.frame(therapist, case = seq_len(n), role = "a", x = x[, 1], partner = x[, 2], c = c0[, 1], y = y1),
              data.frame(therapist, case = seq_len(n), role = "b", x = x[, 2], partner = x[, 1], c = c0[, 2], y = y2))
rows[c("x", "partner", "c", "y")] <- round(rows[c("x", "partner", "c", "y")], 3)
whole <- rows
lost <- runif(n); rows$y[lost < .15 + .2 * (x[, 1] < 0)] <- NA                 # outcomes of a, by its rating
rows$x[n + which(lost > .9)] <- NA; rows$partner[which(lost > .9)] <- NA        # ratings of b
gone <- c(3, 17, 55, 90); rows <- rows[!(rows$role == "b" & rows$case %in% gone), ]   # members who are not in the data
rows$partner[rows$role == "a" & rows$case %in% gone] <- NA
write.csv(rows, "tests/reference/small/couples.csv", row.names = FALSE, quote = FALSE)
wide <- merge(merge(data.frame(case = seq_len(n), therapist), setNames(rows[rows$role == "a", c("case", "x", "c", "y")], c("case", "x1", "c1", "y1")), all.x = TRUE),
              setNames(rows[rows$role == "b", c("case", "x", "c", "y")], c("case", "x2", "c2", "y2")), all.x = TRUE)
apart <- "y1 ~ a1*x1 + p1*x2 + k1*c1
y2 ~ a2*x2 + p2*x1 + k2*c2
y1 ~ i1*1
y2 ~ i2*1
y1 ~~ v1*y1
y2 ~~ v2*y2
y1 ~~ r*y2"
equal <- gsub("([apkiv])[12]\\*", "\\1*", apart)
alike <- paste(equal, "
x1 ~~ vx*x1
x2 ~~ vx*x2
c1 ~~ vc*c1
c2 ~~ vc*c2
x1 ~~ s*c1
x2 ~~ s*c2
x1 ~~ o*c2
x2 ~~ o*c1
x1 ~~ x2
c1 ~~ c2
x1 ~ mx*1
x2 ~ mx*1
c1 ~ mc*1
c2 ~ mc*1", sep = "")
run <- function(model, ...) sem(model, wide, missing = "fiml", fixed.x = FALSE, information = "observed", ...)
tell <- function(f, names) {
  p <- parameterEstimates(f); p <- p[match(names, p$label), ]
  list(est = p$est, se = p$se, llf = as.numeric(logLik(f)))
}
free <- c("i1", "i2", "a1", "a2", "p1", "p2", "k1", "k2", "v1", "v2", "r"); held <- c("i", "a", "p", "k", "v", "r")
f <- run(apart); g <- run(equal); h <- run(alike)
by_therapist <- run(apart, cluster = "therapist", estimator = "MLR")
m <- lmer(y ~ x + partner + c + (1 | therapist) + (1 | case), whole, control = lmerControl(optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12)))
write.csv(whole, "tests/reference/small/couples_whole.csv", row.names = FALSE, quote = FALSE)
out <- list(apart = tell(f, free), equal = tell(g, held), alike = tell(h, held), ratio = 2 * (as.numeric(logLik(f)) - as.numeric(logLik(g))),
            by_therapist = tell(by_therapist, free), mixed = list(est = fixef(m), se = sqrt(diag(as.matrix(vcov(m)))), llf = as.numeric(logLik(m)),
            sd = as.data.frame(VarCorr(m))[, c("grp", "sdcor")]), r = R.version.string, lavaan = as.character(packageVersion("lavaan")))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = TRUE), "tests/reference/dyads_fiml.json")
