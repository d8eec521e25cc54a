# Mediation: mediation.json, by nlme (1-1-1) and lavaan (2-1-1).
# Data: mediation_diary_bpg06.csv, the example of Bauer, Preacher & Gil 2006 (R package multilevelmediation, GPL-3), read from beside
# the checkout and not committed; small/groups.csv is simulated here. Run: Rscript tests/reference/make_mediation.R
suppressPackageStartupMessages({library(nlme); library(lavaan); library(jsonlite)})
d <- read.csv("../shared/data/mediation_diary_bpg06.csv")
long <- rbind(data.frame(id = d$id, z = d$m, sm = 1, sy = 0, sm_x = d$x, sy_m = 0, sy_x = 0, out = "m"),
              data.frame(id = d$id, z = d$y, sm = 0, sy = 1, sm_x = 0, sy_m = d$m, sy_x = d$x, out = "y"))
fit <- lme(z ~ 0 + sm + sy + sm_x + sy_m + sy_x, long, random = ~ 0 + sm + sy + sm_x + sy_m + sy_x | id, weights = varIdent(form = ~ 1 | out),
           control = lmeControl(opt = "optim", msMaxIter = 2000, maxIter = 2000, tolerance = 1e-10, msTol = 1e-12))
G <- matrix(as.numeric(getVarCov(fit)), 5)
s <- fit$sigma * coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)[c("m", "y")]
# restricted expected information with whole matrices
names5 <- c("sm", "sy", "sm_x", "sy_m", "sy_x")
long <- long[order(long$id), ]
Z <- as.matrix(long[, names5]); same <- outer(long$id, long$id, "==")
V <- (Z %*% G %*% t(Z)) * same; diag(V) <- diag(V) + ifelse(long$out == "m", s[1]^2, s[2]^2)
W <- solve(V); A <- W %*% Z; P <- W - A %*% solve(t(Z) %*% A, t(A))
pairs <- expand.grid(k = 1:5, i = 1:5); pairs <- pairs[pairs$k <= pairs$i, ]
B <- lapply(seq_len(nrow(pairs)), function(r) { E <- matrix(0, 5, 5); E[pairs$i[r], pairs$k[r]] <- E[pairs$k[r], pairs$i[r]] <- 1; P %*% ((Z %*% E %*% t(Z)) * same) })
B <- c(B, list(P %*% diag(as.numeric(long$out == "m")), P %*% diag(as.numeric(long$out == "y"))))
I <- outer(seq_along(B), seq_along(B), Vectorize(function(a, b) sum(B[[a]] * t(B[[b]])) / 2))
at <- which(pairs$i == 4 & pairs$k == 3)
set.seed(11)
k <- 60; n <- rep(c(4, 7, 10), 20); g <- rep(seq_len(k), n)
x <- round(rnorm(k), 3); mb <- .5 * x + rnorm(k, 0, .7); yb <- .6 * mb + .2 * x + rnorm(k, 0, .5)
mw <- rnorm(length(g)); yw <- .3 * mw + rnorm(length(g))
h <- data.frame(group = g, x = x[g], m = round(mb[g] + mw, 3), y = round(yb[g] + yw, 3))
write.csv(h, "tests/reference/small/groups.csv", row.names = FALSE, quote = FALSE)
model <- "
  level: 1
    y ~ bw*m
  level: 2
    m ~ a*x
    y ~ bb*m + cp*x
  indirect := a*bb
  contextual := bb - bw
"
two <- sem(model, h, cluster = "group")
e <- parameterEstimates(two)
e <- e[e$label != "", c("label", "est", "se")]
out <- list(coef = as.numeric(fixef(fit)[names5]), vcov = unname(vcov(fit)[names5, names5]), G = G, sigma = as.numeric(s), llf = as.numeric(logLik(fit)),
            se_cov_ab = sqrt(solve(I)[at, at]), latent = setNames(lapply(seq_len(nrow(e)), function(i) list(est = e$est[i], se = e$se[i])), e$label),
            latent_llf = as.numeric(logLik(two)), r = R.version.string, nlme = as.character(packageVersion("nlme")), lavaan = as.character(packageVersion("lavaan")))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = TRUE), "tests/reference/mediation.json")
